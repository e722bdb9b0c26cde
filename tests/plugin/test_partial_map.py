"""A map of some members is not taken for the whole ensemble's, on screen either."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stored import RECIPE, put_maps, stored_project

from hubseg.session import ReviewSession
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.mask import Derivation
from napari_hubseg.jobs.mixing import Mixing
from napari_hubseg.jobs.truth import Truth


def test_the_dock_says_how_many_members_a_map_has(
    tmp_path: Path, background: Background, wait: Callable[[Callable[[], Any]], None]
) -> None:
    session = ReviewSession(author="ann")
    session.open(stored_project(tmp_path))
    put_maps(session.project, "b", (0, 2, 4), run="later")
    derivation = Derivation(session, background, Truth(session, background))
    mixing = Mixing(session, background, RECIPE)
    session.go_to("b")
    mixing.remix()
    wait(lambda: session.probability is not None)
    assert (session.probability.done, session.probability.total) == (3, 5)
    wait(lambda: "3 of 5 networks" in str(derivation.figures))
    session.go_to("c")
    mixing.remix()
    wait(lambda: session.probability is not None and derivation.figures.area is not None)
    assert "networks" not in str(derivation.figures)
    wait(lambda: not derivation.busy)
    session.accept()
    assert session.accepted.members == (5, 5)
    background.close()
    session.close()
