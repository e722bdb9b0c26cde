"""Masks of verdicts that an older version gave are kept when a project is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from hubseg.journal.rows import Kind
from hubseg.session import ReviewSession
from napari_hubseg.jobs.older_masks import OlderMasks


def test_they_are_kept_in_the_background_and_said(
    tmp_path: Path, wait: Callable[[Callable[[], Any]], None]
) -> None:
    tifffile.imwrite(tmp_path / "a.tiff", np.zeros((30, 40, 3), np.uint8), photometric="rgb")
    session = ReviewSession(author="ann")
    session.open(tmp_path)
    session.paint(np.ones((4, 4), np.bool_), add=True)
    path, mask = session.project.path, session.mask.copy()
    payload = {"before": "in work", "after": "corrected"}
    session.project.append(Kind.VERDICT, payload, slide_id="a", label="verdict corrected")
    session.close()
    older, said = OlderMasks(session), []
    older.told.connect(said.append)
    session.open(path)
    assert session.accepted is None
    wait(lambda: session.accepted is not None)
    assert np.array_equal(session.mask, mask)
    wait(lambda: bool(said))
    assert said == ["Kept the mask of 1 slide that an older version had accepted."]
    session.open(path)
    assert session.accepted is not None
    older.close()
    session.close()
