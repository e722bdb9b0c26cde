"""Organs, data sources and what is known about each: the one table of per-organ facts.

Responsible for the names used by the competition tables and for the figures its hosts published.
Does not know thresholds a person has tuned (:mod:`hubseg.thresholds.table`) or any slide.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Self

__all__ = ["FACTS", "DataSource", "Organ", "OrganFacts"]


class _Named(StrEnum):
    """An enumeration that reads its members from text, forgiving case, blanks and hyphens."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the member named by `text`.

        Raises
        ------
        ValueError
            When no member has that name; the message lists the names that exist.
        """
        wanted = "".join(c for c in str(text).casefold() if c.isalnum())
        for member in cls:
            if member.value.casefold() == wanted:
                return member
        known = ", ".join(member.value for member in cls)
        kind = "data source" if cls.__name__ == "DataSource" else "organ"
        raise ValueError(f"Unknown {kind} {text!r}: use one of {known}.")


class Organ(_Named):
    """The five organs, in the order of the published networks' organ head."""

    PROSTATE = "prostate"
    SPLEEN = "spleen"
    LUNG = "lung"
    KIDNEY = "kidney"
    LARGEINTESTINE = "largeintestine"


class DataSource(_Named):
    """Where a tile comes from: its stain, its pixel size and its threshold differ."""

    HUBMAP = "Hubmap"
    HPA = "HPA"


@dataclass(frozen=True, slots=True)
class OrganFacts:
    """What is published about one organ.

    Attributes
    ----------
    label
        Name to show a person.
    unit
        The functional tissue unit that is segmented in this organ.
    um_per_px
        Pixel size of each source's tiles, µm/px.
    thickness_um
        Section thickness of each source's tiles, µm.
    threshold
        The second-place recipe's threshold of each source, 0-255.
    """

    label: str
    unit: str
    um_per_px: MappingProxyType[DataSource, float]
    thickness_um: MappingProxyType[DataSource, float]
    threshold: MappingProxyType[DataSource, float]


def _facts(
    label: str, unit: str, um_per_px: float, thickness_um: float, hubmap: float, hpa: float
) -> OrganFacts:
    hub, hpa_source = DataSource.HUBMAP, DataSource.HPA
    return OrganFacts(
        label=label,
        unit=unit,
        um_per_px=MappingProxyType({hub: um_per_px, hpa_source: 0.4}),
        thickness_um=MappingProxyType({hub: thickness_um, hpa_source: 4.0}),
        threshold=MappingProxyType({hub: hubmap, hpa_source: hpa}),
    )


# Pixel size and thickness: the competition's tables. Thresholds: the published second-place recipe.
FACTS: MappingProxyType[Organ, OrganFacts] = MappingProxyType(
    {
        Organ.PROSTATE: _facts("prostate", "glandular acinus", 6.263, 5.0, 100, 127),
        Organ.SPLEEN: _facts("spleen", "white pulp", 0.4945, 4.0, 100, 127),
        Organ.LUNG: _facts("lung", "alveolus", 0.7562, 5.0, 15, 25),
        Organ.KIDNEY: _facts("kidney", "glomerulus", 0.5, 10.0, 90, 127),
        Organ.LARGEINTESTINE: _facts("large intestine", "crypt", 0.2290, 8.0, 80, 127),
    }
)
