"""Maps and features of tiles by a network that never saw them, also under another stain.

Kept in a folder under a name made of checkpoint, tile and shift, so that none is computed twice.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from tqdm import tqdm

from hubseg.formats.rle import decode
from hubseg.probability import FeatureMap, MapStore, MemberMap, file_digest
from hubseg.probability.taught import sigmoid
from hubseg.recipe import Member, Recipe, find_checkpoints
from hubseg.slide import SlideTable, read_slide
from hubseg.training.known_stain import knowing_stains

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.slide import Slide

    Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

HUE = 0.08  # share of a whole turn


@dataclass(frozen=True, eq=False)
class UnseenTile:
    """A tile, its truth, and what the one network of its fold sees and says, looked at once."""

    slide: Slide
    fold: int
    truth: NDArray[np.bool_]
    features: FeatureMap

    @property
    def map(self) -> MemberMap:
        """The network's map, of one view."""
        return MemberMap(sigmoid(self.features.logits[0].astype(np.float32)))


def _unchanged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels


def _turned(turns: float) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return what turns the hue, as a rotation of I and Q in YIQ."""

    def turn(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        from hubseg.training.colour import YIQ

        angle = 2 * np.pi * turns
        turned = np.eye(3)
        turned[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        matrix = np.linalg.inv(YIQ) @ turned @ YIQ
        moved = pixels.reshape(-1, 3).astype(np.float32) @ matrix.T.astype(np.float32)
        return np.clip(np.rint(moved), 0, 255).astype(np.uint8).reshape(pixels.shape)

    return turn


def _in_stains_of(slide: Slide) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return what shows a tile in another slide's stains (Macenko)."""
    from hubseg.slide.stain import macenko, stain_transfer

    other = macenko(slide.read())

    def stain(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        own = macenko(pixels)
        if own is None or other is None:
            return pixels
        density = -np.log((pixels.astype(np.float32) + 1) / 256)
        moved = cv2.transform(density, stain_transfer(own, other))
        return np.clip(np.rint(256 * np.exp(-moved) - 1), 0, 255).astype(np.uint8)

    return stain


def shifts(data: Path) -> dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]:
    """Return the shifts by name; those to an H&E slide where it lies beside the tiles."""
    found = {"none": _unchanged, "hue +0.08": _turned(HUE), "hue -0.08": _turned(-HUE)}
    other = data.parent / "slides" / "cmu-1-small-region.svs"
    if other.is_file():
        found["macenko"] = _in_stains_of(read_slide(other))
        found["reinhard"] = _in_colours_of(read_slide(other))
    return found


def _in_colours_of(slide: Slide) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return what gives a tile another slide's mean and spread of L, a, b (Reinhard)."""
    from hubseg.training.stain import Reinhard, reinhard, statistics

    other = statistics(slide.read())
    return lambda pixels: reinhard(pixels, Reinhard(statistics(pixels), other))


def unseen_tiles(given: argparse.Namespace, shift: str) -> Iterator[UnseenTile]:
    """Yield every tile that the folds name, under a shift."""
    folds = folds_of(given)
    table = SlideTable.open(given.data / "train.csv")
    for slide in tqdm([one for one in table.slides if one.id in folds], file=sys.stderr):
        yield look(given, shift, slide, folds[slide.id])


def folds_of(given: argparse.Namespace) -> dict[str, int]:
    """Return the fold of each tile."""
    with (given.folds or given.weights / "folds.csv").open(newline="") as file:
        return {row["id"]: int(row["fold"]) for row in csv.DictReader(file)}


def look(
    given: argparse.Namespace, shift: str, slide: Slide, fold: int, weights: Path | None = None
) -> UnseenTile:
    """Return a tile under a shift as the network of a fold sees it.

    Parameters
    ----------
    weights
        Folder of another network than the ensemble's own: what it sees is not kept.
    """
    recipe, table, change = _ground(given, fold, shift)
    member = recipe.members([fold])[0]
    path = find_checkpoints([member], [weights or given.weights])[member.checkpoint]
    store, key = MapStore(given.maps / "features"), _key(recipe, path, slide, shift)
    features = None if weights is not None else store.get_features(key)
    if features is None or not features.knows(recipe.teachable_stain):
        features = _run(recipe, member, path, change(slide.read()))
        if weights is None:
            store.put_features(key, features)
    return UnseenTile(slide, fold, decode(table[slide.id], (slide.height, slide.width)), features)


_GROUND: dict[tuple[int, str], tuple[Recipe, dict[str, str], Change]] = {}


def _ground(
    given: argparse.Namespace, fold: int, shift: str
) -> tuple[Recipe, dict[str, str], Change]:
    """Return the recipe, truths and shift; a network knows the stains of the other folds' tiles."""
    if (fold, shift) not in _GROUND:
        table, folds = SlideTable.open(given.data / "train.csv"), folds_of(given)
        others = [one for one in table.slides if folds.get(one.id, fold) != fold]
        recipe = knowing_stains(Recipe.load(given.recipe), others)
        truth = {one: str(text) for one, text in table.truth.items()}
        _GROUND[fold, shift] = recipe, truth, shifts(given.data)[shift]
    return _GROUND[fold, shift]


def _key(recipe: Recipe, path: Path, slide: Slide, shift: str) -> str:
    import hashlib

    names = recipe.digest, recipe.teachable_stain, file_digest(path), slide.digest, shift
    text = "/".join(names)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _run(recipe: Recipe, member: Member, path: Path, pixels: NDArray[np.uint8]) -> FeatureMap:
    from hubseg.inference import predict_features

    digest = file_digest(path)
    how: dict[str, Any] = {"precision": "float32"}
    return predict_features(
        _network(recipe, member, path), pixels, recipe, member, checkpoint_digest=digest, **how
    )


_NETWORKS: dict[Path, Any] = {}


def _network(recipe: Recipe, member: Member, path: Path) -> Any:
    import torch

    from hubseg.inference import load_member

    if path not in _NETWORKS:
        _NETWORKS[path] = load_member(recipe, member, path, torch.device("cpu"))
    return _NETWORKS[path]
