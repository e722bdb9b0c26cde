"""Probability maps: member maps kept at network resolution, mixed on demand, kept on disk.

Responsible for the arithmetic that turns any weighted subset of member maps into one map at slide
resolution, for the disagreement between members, and for the content-addressed store. Needs no
torch: whoever has the member maps can mix them. Does not know how a member map is made.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from hubseg.recipe import Member, Recipe

__all__ = ["MapStore", "MemberMap", "ProbabilityMap", "file_digest", "map_key", "mix"]


@dataclass(frozen=True, slots=True)
class MemberMap:
    """The mean over views of one member on one slide.

    Attributes
    ----------
    values
        float32 (h, w), 0-1, at the network's output resolution.
    organ
        Share of each organ in the order of :class:`hubseg.organ.Organ`, the mean over views of
        the softmax, where the network has that head. Not calibrated.
    um_per_px
        The slide's pixel size as the network sees it, µm/px, where it has that head.
    """

    values: NDArray[np.float32]
    organ: tuple[float, ...] | None = None
    um_per_px: float | None = None


@dataclass(frozen=True, slots=True)
class ProbabilityMap:
    """A mix of member maps at slide resolution.

    Attributes
    ----------
    values
        float32 (H, W), 0-255: the scale of every threshold.
    disagreement
        float32 (h, w), 0-255: weighted standard deviation between members at the resolution of
        the finest member map; None with fewer than two members.
    slide_digest, recipe_digest
        What it was made of.
    done, total
        Members mixed so far, and members the recipe asks for.
    """

    values: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None
    slide_digest: str
    recipe_digest: str
    done: int
    total: int

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not np.isfinite(self.values).all():
            raise ValueError(
                f"A probability map must be a finite two-dimensional array, not one of shape "
                f"{self.values.shape}: run the ensemble again."
            )


def mix(
    recipe: Recipe,
    maps: Iterable[tuple[Member, MemberMap]],
    *,
    shape: tuple[int, int],
    slide_digest: str,
    total: int | None = None,
) -> ProbabilityMap:
    """Mix finished members into one map at slide resolution.

    Members of one resolution are averaged by weight at network resolution and enlarged once: the
    sums are linear, so this is the map the published loop gets by enlarging each pass. Resolutions
    are merged by weight in float64, in the recipe's order; with ``merge: published`` each is
    truncated to whole levels first. Resolutions with no finished member are left out and the
    weights of the others are scaled up.

    Parameters
    ----------
    maps
        Finished members with their maps; at least one.
    shape
        Slide height and width in px.
    total
        Members of the whole run; default: the recipe's.

    Raises
    ------
    ValueError
        When there is no map to mix.
    """
    groups: dict[int, list[tuple[float, NDArray[np.float32]]]] = {}
    done = 0
    for member, made in maps:
        groups.setdefault(member.resolution, []).append((member.weight, made.values))
        done += 1
    if not groups:
        raise ValueError("There is no member map to mix yet: run at least one member first.")
    whole = len(groups) == len(recipe.resolutions)
    scale = 1.0 if whole else 1.0 / sum(recipe.resolutions[i].weight for i in groups)
    if whole and recipe.merge == "exact":
        scale = 1.0 / sum(r.weight for r in recipe.resolutions)
    merged = np.zeros(shape, np.float64)
    for index in sorted(groups):
        levels = _enlarge(_average(groups[index]), shape) * np.float32(255.0)
        if recipe.merge == "published":
            levels = levels.astype(np.uint8)
        merged += levels * np.float64(recipe.resolutions[index].weight * scale)
    return ProbabilityMap(
        values=np.clip(merged, 0.0, 255.0).astype(np.float32),
        disagreement=_disagreement(recipe, groups),
        slide_digest=slide_digest,
        recipe_digest=recipe.digest,
        done=done,
        total=len(recipe.members()) if total is None else total,
    )


def _average(maps: Sequence[tuple[float, NDArray[np.float32]]]) -> NDArray[np.float32]:
    summed = np.zeros_like(maps[0][1])
    for weight, values in maps:
        summed += values * np.float32(weight)
    return summed / np.float32(sum(weight for weight, _ in maps))


def _enlarge(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    height, width = shape
    enlarged = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.float32)


def _disagreement(
    recipe: Recipe, groups: Mapping[int, Sequence[tuple[float, NDArray[np.float32]]]]
) -> NDArray[np.float32] | None:
    if sum(len(maps) for maps in groups.values()) < 2:
        return None
    shape = max((maps[0][1].shape for maps in groups.values()), key=lambda s: s[0] * s[1])
    first = np.zeros(shape, np.float32)
    second = np.zeros(shape, np.float32)
    total = 0.0
    for index, maps in groups.items():
        share = recipe.resolutions[index].weight / sum(weight for weight, _ in maps)
        for weight, values in maps:
            at = values if values.shape == shape else _enlarge(values, (shape[0], shape[1]))
            first += at * np.float32(weight * share)
            second += np.square(at) * np.float32(weight * share)
            total += weight * share
    variance = second / np.float32(total) - np.square(first / np.float32(total))
    return np.asarray(np.sqrt(np.maximum(variance, 0)) * np.float32(255.0), np.float32)


def map_key(recipe: Recipe, member: Member, *, slide_digest: str, checkpoint_digest: str) -> str:
    """Return the key of a member map: a digest of all that decides its values.

    Slide pixels, checkpoint bytes, network, resolution, views and preprocessing count; names,
    weights, folds and thresholds do not.
    """
    resolution = recipe.resolutions[member.resolution]
    content = {
        "slide": slide_digest,
        "checkpoint": checkpoint_digest,
        "network": member.network.model_dump(mode="json"),
        "resolution": resolution.model_dump(mode="json", include={"size", "scale", "um_per_px"}),
        "tta": recipe.tta,
        "channel_order": recipe.channel_order,
        "normalize": recipe.normalize.model_dump(mode="json"),
        "format": 1,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=256)
def _digest_of(path: str, size: int, modified: int) -> str:
    content = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            content.update(block)
    return content.hexdigest()


def file_digest(path: Path) -> str:
    """Return the hex digest of a file's bytes; remembered until the file changes."""
    stat = path.stat()
    return _digest_of(str(path), stat.st_size, stat.st_mtime_ns)


class MapStore:
    """Member maps in a folder, one TIFF a map, named by content digest.

    A map is float32, written to a temporary file and renamed, so that a reader sees all of it or
    none; its digest is checked when it is read.

    Parameters
    ----------
    folder
        Where the maps lie; made on first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def _path(self, key: str) -> Path:
        if not key.isalnum():
            raise ValueError(f"{key!r} is not the key of a map: keys are hex digests.")
        return self.folder / key[:2] / f"{key}.tif"

    def put(self, key: str, made: MemberMap) -> Path:
        """Write `made` under `key`, atomically; returns the file."""
        import tifffile

        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.ascontiguousarray(made.values, np.float32)
        said = {
            "hubseg": "member map",
            "digest": _digest(values),
            "organ": made.organ,
            "um_per_px": made.um_per_px,
        }
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        try:
            tifffile.imwrite(
                name, values, compression="zlib", predictor=True, description=json.dumps(said)
            )
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return path

    def get(self, key: str) -> MemberMap | None:
        """Read the map of `key`; None when there is none, or when it is damaged.

        A damaged file is removed: the member is then simply computed again.
        """
        import tifffile

        path = self._path(key)
        if not path.is_file():
            return None
        try:
            with tifffile.TiffFile(path) as tiff:
                said: dict[str, Any] = json.loads(tiff.pages.first.description)
                values = np.ascontiguousarray(tiff.asarray(), np.float32)
            intact = said["digest"] == _digest(values)
        except (ValueError, KeyError, OSError, RuntimeError):
            intact = False
        if not intact:
            path.unlink(missing_ok=True)
            return None
        organ, um_per_px = said["organ"], said["um_per_px"]
        return MemberMap(
            values=values,
            organ=None if organ is None else tuple(map(float, organ)),
            um_per_px=None if um_per_px is None else float(um_per_px),
        )


def _digest(values: NDArray[np.float32]) -> str:
    content = hashlib.blake2b(str(values.shape).encode(), digest_size=16)
    content.update(values.tobytes())
    return content.hexdigest()
