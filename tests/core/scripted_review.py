"""A review without a person: prints the number and kind of each row once it is saved.

Run by ``test_session.py`` in a process of its own, to be killed at any moment::

    python scripted_review.py FOLDER SEED
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from hubseg import tools
from hubseg.cleanup import Cleanup
from hubseg.session import ReviewSession, Verdict


def main(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    session = ReviewSession(author="script")
    session.open(folder)
    told = 0

    def report(_: object) -> None:
        nonlocal told
        for entry in session.project.entries(pixels=False)[told:]:
            print(entry.seq, entry.kind, flush=True)
            told += 1

    session.saved.connect(report)
    while True:
        match rng.integers(10):
            case 0 | 1 | 2 | 3:
                region = rng.random((20, 20)) < 0.7
                top, left = (int(v) for v in rng.integers(-15, 60, 2))
                adds = bool(rng.integers(2))
                session.paint(region, top=top, left=left, add=adds)
                session.paint_beside(region, top=top, left=left, add=adds)  # of a region alone
            case 4:
                session.set_threshold(float(rng.integers(256)))
            case 5:
                session.undo()
            case 6:
                session.redo()
            case 7:
                session.set_verdict(list(Verdict)[rng.integers(6)], as_empty=True)
                session.set_cleanup(Cleanup(min_area=int(rng.integers(50))))
            case 8:
                session.go_to(session.slides[rng.integers(len(session.slides))].id)
            case 9:
                mask = session.mask_now()
                objects = np.argwhere(mask)
                if len(objects):
                    row, column = objects[rng.integers(len(objects))]
                    deed = [tools.drop, tools.keep, tools.fill_holes][rng.integers(3)]
                    change = deed(mask, int(row), int(column))
                    if change is not None:
                        session.put(change)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
