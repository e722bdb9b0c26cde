"""What is published about five organs and two sources: the one table of per-organ facts.

Responsible for the figures that the competition's hosts published. An organ that is none of the
five has no row here. Does not know thresholds a person has tuned (:mod:`hubseg.thresholds.table`).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from hubseg.organ.words import DataSource, Organ

__all__ = ["FACTS", "ORGANS", "SOURCES", "OrganFacts"]


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

ORGANS: tuple[Organ, ...] = tuple(FACTS)
"""The five, in the order of the published networks' organ head."""

SOURCES: tuple[DataSource, ...] = (DataSource.HUBMAP, DataSource.HPA)
"""The two, in the order of the published tables."""
