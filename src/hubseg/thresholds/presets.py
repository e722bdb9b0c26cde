"""Thresholds to share: a table in a YAML file, with the recipe it was tuned for.

Responsible for the file: writing it, reading it with a sentence for everything in it that is not
understood, and saying when it was tuned for other networks. Does not know how thresholds were
found or who takes them over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from hubseg.failure import yaml_or_refusal
from hubseg.organ import BUILT_IN, DataSource, Organ, Vocabulary
from hubseg.thresholds.assignment import Assignment
from hubseg.thresholds.table import OWN, ThresholdTable, checked_threshold

if TYPE_CHECKING:
    from pathlib import Path

    from hubseg.organ.vocabulary import Kind
    from hubseg.thresholds.calibration import Calibration
    from hubseg.thresholds.table import Cell

__all__ = ["Preset"]

_KEYS = ("recipe", "recipe_digest", "thresholds", "calibration")


@dataclass(frozen=True, slots=True)
class Preset:
    """A table of thresholds and what it was tuned for.

    Attributes
    ----------
    table
        Threshold of each organ and source that the preset names.
    recipe, recipe_digest
        Name and digest of the recipe whose maps it was tuned on; "" when not known.
    calibration
        How each value was found, as plain rows; may be empty.
    notes
        What the file held that was not understood, one sentence each.
    """

    table: ThresholdTable
    recipe: str = ""
    recipe_digest: str = ""
    calibration: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def calibrated(
        cls, found: tuple[Calibration, ...], *, recipe: str, recipe_digest: str
    ) -> Preset:
        """Return the preset that calibrations amount to."""
        return cls(
            table=ThresholdTable.of_cells(
                {(c.organ, c.source, c.structure): float(c.threshold) for c in found}
            ),
            recipe=recipe,
            recipe_digest=recipe_digest,
            calibration=tuple(_row(one) for one in found),
        )

    @property
    def assignments(self) -> tuple[Assignment, ...]:
        """Its thresholds one by one, as a command line has them."""
        return tuple(Assignment(*cell, value) for cell, value in self.table.cells.items())

    def warning(self, recipe_digest: str) -> str:
        """Return one sentence when the preset was tuned for another recipe; "" when it fits.

        Parameters
        ----------
        recipe_digest
            Digest of the recipe whose maps it shall be used on; "" when there is none yet.
        """
        if not self.recipe_digest or not recipe_digest or self.recipe_digest == recipe_digest:
            return ""
        name = f"recipe {self.recipe}" if self.recipe else "another recipe"
        return (
            f"These thresholds were tuned for the maps of {name} ({self.recipe_digest[:8]}), and "
            f"the maps here are of another ({recipe_digest[:8]}): look at the overlay before you "
            "trust them, or calibrate again."
        )

    def to_yaml(self) -> str:
        """Write the preset as YAML that :meth:`from_yaml` reads back to an equal preset."""
        content: dict[str, Any] = {"thresholds": self.table.to_mapping()}
        if self.recipe:
            content["recipe"] = self.recipe
        if self.recipe_digest:
            content["recipe_digest"] = self.recipe_digest
        if self.calibration:
            content["calibration"] = [dict(row) for row in self.calibration]
        head = "# Thresholds (0-255) per data source and organ, for HubSeg.\n"
        return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)

    @classmethod
    def from_yaml(
        cls, text: str, *, where: str = "The preset", vocabulary: Vocabulary = BUILT_IN
    ) -> Preset:
        """Read a preset; what is unknown in it is named in `notes`, and the rest kept.

        Raises
        ------
        ValueError
            When it is no YAML table, holds no thresholds, or a threshold is not on 0-255.
        """
        content = yaml_or_refusal(text, where)
        rows = content.get("thresholds") if isinstance(content, Mapping) else None
        if not isinstance(content, Mapping) or not isinstance(rows, Mapping):
            raise ValueError(f"{where} holds no thresholds: write them as source, organ: value.")
        notes = [f"{where}: {key!r} is not known and was left out." for key in content
                 if key not in _KEYS]  # fmt: skip
        values = _values(rows, vocabulary, where, notes)
        calibration = content.get("calibration") or []
        return cls(
            table=ThresholdTable.of_cells(values),
            recipe=str(content.get("recipe") or ""),
            recipe_digest=str(content.get("recipe_digest") or ""),
            calibration=tuple(row for row in calibration if isinstance(row, Mapping)),
            notes=tuple(notes),
        )

    @classmethod
    def load(cls, path: Path, vocabulary: Vocabulary = BUILT_IN) -> Preset:
        """Read a preset from a file.

        Raises
        ------
        ValueError
            As :meth:`from_yaml`.
        OSError
            When the file cannot be read.
        """
        return cls.from_yaml(path.read_text("utf-8"), where=str(path), vocabulary=vocabulary)


def _known(
    kind: Kind, name: object, words: Vocabulary, where: str, notes: list[str]
) -> Organ | DataSource | None:
    """Return an organ or a source by its name; one that is none is noted."""
    found = words.word(kind, str(name))
    if found is None:
        notes.append(f"{where}: {words.unknown(kind, str(name))}. It was left out.")
    return found


def _values(
    rows: Mapping[Any, Any], words: Vocabulary, where: str, notes: list[str]
) -> dict[Cell, float]:
    values: dict[Cell, float] = {}
    for source_name, organs in rows.items():
        source = _known("source", source_name, words, where, notes)
        if not isinstance(source, DataSource):
            continue
        if not isinstance(organs, Mapping):
            raise ValueError(f"{where}: {source} has no table of organs: write organ: value.")
        for organ_name, given in organs.items():
            organ = _known("organ", organ_name, words, where, notes)
            if not isinstance(organ, Organ):
                continue
            for name, value in (given if isinstance(given, Mapping) else {OWN: given}).items():
                structure = None if name == OWN else words.structure(str(name))
                if name != OWN and structure is None:
                    notes.append(
                        f"{where}: {words.unknown('structure', str(name))}. It was left out."
                    )
                    continue
                what = f"threshold of {organ}/{source} in {where}"
                cell = organ, source, None if structure is None else structure.name
                values[cell] = checked_threshold(value, what)
    return values


def _row(found: Calibration) -> dict[str, Any]:
    row: dict[str, Any] = {
        "organ": found.organ.value,
        "source": found.source.value,
        "objective": found.objective,
        "slides": found.slides,
        "threshold": found.threshold,
        "threshold_interval": list(found.threshold_interval),
        "dice": round(found.dice, 4),
        "dice_interval": [round(value, 4) for value in found.dice_interval],
    }
    if found.structure is not None:
        row["structure"] = found.structure.value
    if found.held_out is not None:
        row["dice_held_out"] = round(found.held_out, 4)
    return row
