"""What to run, as data: networks, folds, resolutions, views, weights, thresholds and cleanup.

Responsible for one frozen, self-describing value that loads from YAML, refuses unknown keys and has
a digest. Does not run anything and never imports torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import yaml
from pydantic import Field, PlainSerializer, ValidationError, field_validator, model_validator

from hubseg.cleanup import Cleanup, cleanups_from, cleanups_to
from hubseg.failure import yaml_or_refusal
from hubseg.organ import BUILT_IN, Organ, StructureName, Vocabulary
from hubseg.recipe.channels import BACKGROUND
from hubseg.recipe.entries import Entry, KnownStain, Member, Normalize, Resolution
from hubseg.recipe.networks import Plan
from hubseg.recipe.training_plan import TrainingPlan
from hubseg.thresholds.table import ThresholdTable

if TYPE_CHECKING:
    from hubseg.organ import DataSource
    from hubseg.organ.vocabulary import AnyKind

__all__ = ["Recipe", "builtin_names"]


def _table(value: object) -> ThresholdTable:
    if isinstance(value, ThresholdTable):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("thresholds must be a table source → organ → value")
    return ThresholdTable.from_mapping(value)


class Recipe(Plan):
    """What to run on a slide to get a probability map."""

    name: str = Field(description="What it is called, in lists and in every run's record.")
    channel_order: Literal["rgb", "bgr"] = Field(
        "rgb", description="Order of the channels the networks were trained on."
    )
    normalize: Normalize = Field(Normalize(), description="From pixels to the networks' input.")
    stain: KnownStain | None = Field(
        None, description="Stains that the networks know; left out, nobody knows them."
    )
    tta: Literal["none", "flips", "flip_rot90", "d4"] = Field(
        "flip_rot90", description="Views of a slide that are averaged; flip_rot90: four, d4: eight."
    )
    folds: tuple[int, ...] = Field(
        (0, 1, 2, 3, 4), min_length=1, description="Numbers of the trainings of each network."
    )
    tissue_only: bool = Field(
        False,
        description="Whether tiles that show glass alone are left out of slides too large for one "
        "pass: nothing is marked there.",
    )
    merge: Literal["published", "exact"] = Field(
        "exact", description="published: each resolution truncated to 0-255 integers first."
    )
    resolutions: tuple[Resolution, ...] = Field(
        min_length=1, description="How large networks see the slide, and which do."
    )
    thresholds: Annotated[
        ThresholdTable, PlainSerializer(lambda table: table.to_mapping(), return_type=dict)
    ] = Field(
        default_factory=ThresholdTable.published,
        description="Source → organ → threshold, 0-255, and default; the published ones at first.",
    )
    cleanup: Annotated[Mapping[Organ, Cleanup], PlainSerializer(cleanups_to, return_type=dict)] = (
        Field(default_factory=dict, description="What is tidied up in the masks of each organ.")
    )
    vocabulary: Annotated[
        Vocabulary, PlainSerializer(lambda words: words.to_mapping(), return_type=dict)
    ] = Field(BUILT_IN, description="Organs, sources and structures beside the built-in ones.")
    training: TrainingPlan = Field(TrainingPlan(), description="How its networks are trained.")

    @field_validator("cleanup", mode="before")
    @classmethod
    def _read_cleanup(cls, value: object) -> Mapping[Organ, Cleanup]:
        return cleanups_from(value)

    @field_validator("thresholds", mode="before")
    @classmethod
    def _read_thresholds(cls, value: object) -> ThresholdTable:
        return _table(value)

    @field_validator("vocabulary", mode="plain")
    @classmethod
    def _read_vocabulary(cls, value: object) -> Vocabulary:
        return value if isinstance(value, Vocabulary) else Vocabulary.from_mapping(value)

    @model_validator(mode="after")
    def _knows_its_words(self) -> Self:
        """Refuse a word that its vocabulary does not know: it may be misspelled."""
        named: dict[AnyKind, set[str]] = {
            "organ": {*self.thresholds.organs, *self.cleanup, *self._only},
            "source": {*self.thresholds.sources},
            "structure": {
                *self._structures,
                *self.thresholds.structures,
                *self.training.loss.structures,
            },
        }
        for kind, words in named.items():
            for word in sorted(words):
                if not self.vocabulary.knows(kind, word):
                    raise ValueError(
                        f"{self.vocabulary.unknown(kind, word)}; a new one is named under "
                        f"vocabulary: {kind}s"
                    )
        return self

    @property
    def _only(self) -> set[Organ]:
        """Organs that some network alone is for."""
        return {organ for entry in self._entries if entry.only for organ in entry.only.organs}

    @property
    def _structures(self) -> set[StructureName]:
        """Structures that some network names."""
        return {name for entry in self._entries for name in entry.classes} - {BACKGROUND}

    @property
    def _entries(self) -> list[Entry]:
        return [entry for resolution in self.resolutions for entry in resolution.members]

    @property
    def aligns(self) -> bool:
        """Whether slides are shown to the networks in the stains that these know."""
        return self.stain is not None and self.stain.align

    @property
    def teachable_stain(self) -> str:
        """Digest of the stains that corrections may choose to show slides in; "" where none are."""
        return "" if self.stain is None or self.stain.align else self.stain.digest

    def aligned(self) -> Recipe:
        """Return the recipe with slides shown in the stains that its networks know.

        Raises
        ------
        ValueError
            When nobody knows these stains.
        """
        if self.stain is None:
            raise ValueError(f"Recipe {self.name!r} does not say which stains its networks know.")
        return self.model_copy(update={"stain": self.stain.model_copy(update={"align": True})})

    @property
    def digest(self) -> str:
        """Hex digest of what decides the map: not name, words, thresholds, cleanup or training."""
        after = {"name", "thresholds", "cleanup", "vocabulary", "training"}
        if not self.tissue_only:  # a recipe of before it existed keeps its digest
            after.add("tissue_only")
        if not self.aligns:
            after.add("stain")
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
        chosen = self.folds if folds is None else tuple(dict.fromkeys(folds))
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
                weight=entry.weight_of(fold),
                organs=() if entry.only is None else entry.only.organs,
                channels=entry.channels,
            )
            for i, resolution in enumerate(self.resolutions)
            for j, entry in enumerate(resolution.members)
            for fold in chosen
        )

    def thresholds_of(
        self, member: Member, organ: Organ | None, source: DataSource | None
    ) -> tuple[float, ...]:
        """Return the threshold of each layer of a member's map, on 0-255, in a slide.

        Parameters
        ----------
        organ, source
            Of the slide; None where it is not known.
        """
        table, names = self.thresholds.within(self.vocabulary), member.channels.structures
        return tuple(table.value(organ, source, name) for name in names or (None,))

    @property
    def needs_scores(self) -> bool:
        """Whether some weights are best scores that still have to be read from checkpoints."""
        return any(e.weight == "best_score" for r in self.resolutions for e in r.members)

    def weighed(self, scores: Mapping[str, float]) -> Recipe:
        """Return the recipe with best scores written in as weights.

        Parameters
        ----------
        scores
            Best score by checkpoint name; a fold that is absent keeps `best_score`, to be read
            when it is run.
        """
        resolutions = []
        for resolution in self.resolutions:
            entries = []
            for entry in resolution.members:
                named = {f: entry.checkpoint.replace("{fold}", str(f)) for f in self.folds}
                weights = {f: scores.get(name, "best_score") for f, name in named.items()}
                scored = entry.weight == "best_score" and any(n in scores for n in named.values())
                entries.append(entry.model_copy(update={"weight": weights}) if scored else entry)
            resolutions.append(resolution.model_copy(update={"members": tuple(entries)}))
        return self.model_copy(update={"resolutions": tuple(resolutions)})

    @classmethod
    def from_yaml(cls, text: str, *, where: str = "the recipe") -> Recipe:
        """Read a recipe from YAML text.

        Raises
        ------
        ValueError
            When it is not YAML or not a recipe; one sentence names the key and the place.
        """
        content = yaml_or_refusal(text, where)
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
        for key in ("vocabulary", "tissue_only", "stain"):
            if not content[key]:
                del content[key]
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
