"""What to run, as data: networks, folds, resolutions, views, weights, thresholds and cleanup.

Responsible for one frozen, self-describing value that loads from YAML, refuses unknown keys and has
a digest. Does not run anything and never imports torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from hubseg.cleanup import Cleanup, cleanups_from, cleanups_to
from hubseg.organ import Organ  # noqa: TC001 - pydantic reads it
from hubseg.plan import MULTIPLE, TrainingPlan
from hubseg.thresholds import ThresholdTable

__all__ = [
    "MULTIPLE",
    "Entry",
    "Member",
    "NetworkSpec",
    "Normalize",
    "Recipe",
    "Resolution",
    "builtin_names",
    "find_checkpoint",
    "find_checkpoints",
]


class _Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class NetworkSpec(_Plan):
    """One network family and its encoder."""

    kind: Literal["timm_unet"] = Field("timm_unet", description="Network family.")
    encoder: str = Field(description="A timm encoder's name.")
    encoder_args: Mapping[str, Any] = Field(
        default_factory=dict, description="Further arguments of timm.create_model."
    )
    decoder: tuple[int, int, int, int, int] = Field(
        (32, 48, 64, 96, 128), description="Decoder filters, finest level first."
    )


class Entry(_Plan):
    """One network of a resolution, present once per fold."""

    network: NetworkSpec
    checkpoint: str = Field(description="File name; {fold} stands for the fold's number.")
    weight: float = Field(1.0, gt=0, description="Weight within its resolution.")

    @field_validator("checkpoint")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if "/" in value or "\\" in value or value.startswith("."):
            raise ValueError(f"{value!r} must be a file name, not a path: name folders apart")
        return value


class Normalize(_Plan):
    """Pixel → network input: ``pixel / divide - subtract``."""

    divide: float = Field(default=127.0, gt=0)
    subtract: float = 1.0


class Resolution(_Plan):
    """How large a network sees the slide; exactly one of size, scale, um_per_px."""

    size: int | None = Field(
        None, gt=0, description="The whole slide squeezed to size × size px, as published."
    )
    scale: float | None = Field(
        None, gt=0, le=4, description="A fraction of slide pixels; keeps the aspect ratio."
    )
    um_per_px: float | None = Field(
        None, gt=0, description="Pixel size of the network's input, µm/px; keeps the aspect ratio."
    )
    weight: float = Field(1.0, gt=0, description="Weight in the merge of resolutions.")
    members: tuple[Entry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [n for n in ("size", "scale", "um_per_px") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                "a resolution takes exactly one of size, scale and um_per_px, not "
                f"{given or 'none'}"
            )
        if self.size is not None and self.size % MULTIPLE:
            low = self.size // MULTIPLE * MULTIPLE
            raise ValueError(
                f"size {self.size} is not a multiple of {MULTIPLE}: use "
                f"{low or MULTIPLE} or {low + MULTIPLE}"
            )
        return self


def _table(value: object) -> ThresholdTable:
    if isinstance(value, ThresholdTable):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("thresholds must be a table source → organ → value")
    return ThresholdTable.from_mapping(value)


@dataclass(frozen=True, slots=True)
class Member:
    """One checkpoint of a recipe: an entry at a resolution, of one fold."""

    resolution: int
    entry: int
    fold: int
    network: NetworkSpec
    checkpoint: str
    weight: float

    @property
    def name(self) -> str:
        """Name to show a person: the checkpoint's file name."""
        return self.checkpoint


class Recipe(_Plan):
    """What to run on a slide to get a probability map."""

    name: str
    channel_order: Literal["rgb", "bgr"] = Field(
        "rgb", description="Order of the channels the networks were trained on."
    )
    normalize: Normalize = Normalize()
    tta: Literal["none", "flips", "flip_rot90", "d4"] = "flip_rot90"
    folds: tuple[int, ...] = Field((0, 1, 2, 3, 4), min_length=1)
    merge: Literal["published", "exact"] = Field(
        "exact", description="published: each resolution truncated to 0-255 integers first."
    )
    resolutions: tuple[Resolution, ...] = Field(min_length=1)
    thresholds: Annotated[
        ThresholdTable, PlainSerializer(lambda table: table.to_mapping(), return_type=dict)
    ] = Field(default_factory=ThresholdTable.published)
    cleanup: Annotated[Mapping[Organ, Cleanup], PlainSerializer(cleanups_to, return_type=dict)] = (
        Field(default_factory=dict, description="What is tidied up in the masks of each organ.")
    )
    training: TrainingPlan = TrainingPlan()

    @field_validator("cleanup", mode="before")
    @classmethod
    def _read_cleanup(cls, value: object) -> Mapping[Organ, Cleanup]:
        return cleanups_from(value)

    @field_validator("thresholds", mode="before")
    @classmethod
    def _read_thresholds(cls, value: object) -> ThresholdTable:
        return _table(value)

    @property
    def digest(self) -> str:
        """Hex digest of what decides the map: not its name, thresholds, cleanup or training."""
        after = {"name", "thresholds", "cleanup", "training"}
        content = self.model_dump(mode="json", exclude=after)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def members(self, folds: Sequence[int] | None = None) -> tuple[Member, ...]:
        """Every member, resolutions in order, folds innermost.

        Raises
        ------
        ValueError
            When `folds` names a fold the recipe does not have.
        """
        chosen = self.folds if folds is None else tuple(folds)
        unknown = sorted(set(chosen) - set(self.folds))
        if unknown:
            raise ValueError(
                f"Recipe {self.name!r} has no fold {', '.join(map(str, unknown))}: choose from "
                f"{', '.join(map(str, self.folds))}."
            )
        return tuple(
            Member(
                resolution=i,
                entry=j,
                fold=fold,
                network=entry.network,
                checkpoint=entry.checkpoint.replace("{fold}", str(fold)),
                weight=entry.weight,
            )
            for i, resolution in enumerate(self.resolutions)
            for j, entry in enumerate(resolution.members)
            for fold in chosen
        )

    @classmethod
    def from_yaml(cls, text: str, *, where: str = "the recipe") -> Recipe:
        """Read a recipe from YAML text.

        Raises
        ------
        ValueError
            When it is not YAML or not a recipe; one sentence names the key and the place.
        """
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" at line {mark.line + 1}" if mark else ""
            raise ValueError(f"{where} is not YAML{line}: correct it there.") from error
        if not isinstance(content, dict):
            raise ValueError(f"{where} holds no recipe: it must be a table of keys and values.")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the recipe"
            known = {"extra_forbidden": "unknown key"}
            said = known.get(first["type"], first["msg"].removeprefix("Value error, "))
            raise ValueError(f"{where}: {key}: {said}.") from error

    def to_yaml(self) -> str:
        """Write the recipe as YAML text that :meth:`from_yaml` reads back to an equal recipe."""
        content = self.model_dump(mode="json", exclude_defaults=False)
        for resolution in content["resolutions"]:
            for key in ("size", "scale", "um_per_px"):
                if resolution[key] is None:
                    del resolution[key]
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)

    @classmethod
    def load(cls, source: str | Path) -> Recipe:
        """Load a built-in recipe by its name, or a YAML file.

        Raises
        ------
        FileNotFoundError
            When `source` is neither; the message lists the built-in names.
        ValueError
            When the file is not a recipe.
        """
        name = str(source)
        if name in builtin_names():
            text = (resources.files("hubseg") / "recipes" / f"{name}.yaml").read_text("utf-8")
            return cls.from_yaml(text, where=f"Recipe {name}")
        path = Path(source)
        if not path.is_file():
            raise FileNotFoundError(
                f"No recipe {name!r}: name a YAML file or one of {', '.join(builtin_names())}."
            )
        return cls.from_yaml(path.read_text("utf-8"), where=f"Recipe {path}")


def builtin_names() -> tuple[str, ...]:
    """Names of the recipes that come with HubSeg."""
    folder = resources.files("hubseg") / "recipes"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.is_file()))


def find_checkpoint(name: str, folders: Sequence[Path]) -> Path | None:
    """Return the file of a checkpoint in the first folder that has it, with any known ending."""
    for folder in folders:
        for ending in ("", ".safetensors", ".pth", ".pt"):
            path = Path(folder) / f"{name}{ending}"
            if path.is_file():
                return path
    return None


def find_checkpoints(members: Sequence[Member], folders: Sequence[Path]) -> dict[str, Path]:
    """Return the file of every member's checkpoint, by checkpoint name.

    Raises
    ------
    FileNotFoundError
        When some are missing; the message names them and says where they were looked for.
    """
    names = dict.fromkeys(member.checkpoint for member in members)
    found = {name: find_checkpoint(name, folders) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        where = ", ".join(str(folder) for folder in folders) or "no folder at all"
        raise FileNotFoundError(
            f"{len(missing)} of {len(names)} checkpoints are missing ({', '.join(missing[:3])}"
            f"{more}; looked in {where}): name the folder that holds them."
        )
    return {name: path for name, path in found.items() if path is not None}
