"""The child of ``fuzz.py``: reads damaged files, and says of each how that went.

    python _readers.py KIND GIGABYTES SECONDS

Each line of standard input is a path; each line of standard output says in JSON what became of it.
A file that takes more processor time ends this process by a signal; memory beyond the limit is
refused by the system, so that nothing here can harm the process that asks.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
import unicodedata
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

CORNER = 1024  # px: what is read of a slide from each corner and level
LONGEST = 600  # characters of a sentence, its path not counted


def read_tiff(path: Path) -> None:
    from hubseg.slide import read_slide

    slide = read_slide(path)
    high, wide = min(slide.height, CORNER), min(slide.width, CORNER)
    for top, left in ((0, 0), (slide.height - high, slide.width - wide)):
        pixels = slide.read((top, left, high, wide))
        if pixels.shape != (high, wide, 3) or pixels.dtype != np.uint8:
            raise AssertionError(f"{pixels.shape} of {pixels.dtype} came out")
    for level in range(1, len(slide.levels)):
        slide.read((0, 0, *(min(side, 64) for side in slide.levels[level])), level)


def read_checkpoint(path: Path) -> None:
    from hubseg.network import check_checkpoint
    from hubseg.recipe.scores import best_score

    score = best_score(path)
    if score is not None and not np.isfinite(score):
        raise AssertionError(f"the score {score} came out")
    check_checkpoint(path)


def read_csv(path: Path) -> None:
    from hubseg.formats.rle import decode
    from hubseg.formats.table import read_submission
    from hubseg.slide import SlideTable

    refused: list[Exception] = []
    table = None
    try:
        table = SlideTable.open(path, images=path.parent / "train_images")
    except (ValueError, OSError) as error:
        refused.append(error)
    try:
        submission = read_submission(path)
    except (ValueError, OSError) as error:
        refused.append(error)
    else:
        for rle in submission.values():
            try:
                decode(rle, (75, 90))
            except ValueError as error:
                refused.append(error)
    said = [] if table is None else [*table.notes.values()]
    wrong = [sentence for sentence in (*said, *map(str, refused)) if not_a_sentence(sentence, path)]
    if wrong:
        raise AssertionError(f"no sentence: {wrong[0]!r}")
    if refused:
        raise refused[0]


READERS: dict[str, Callable[[Path], None]] = {
    "tiff": read_tiff,
    "checkpoint": read_checkpoint,
    "csv": read_csv,
}


def not_a_sentence(said: str, path: Path) -> bool:
    """Tell whether a refusal is more or less than one sentence."""
    said = said.replace(str(path), "FILE")
    return not (
        said.strip() == said
        and not any(unicodedata.category(letter) == "Cc" for letter in said)
        and said.endswith((".", "?"))
        and len(said) <= LONGEST
        and len(re.findall(r"[A-Za-z]+", said)) >= 4
    )


def outcome(read: Callable[[Path], None], path: Path) -> dict[str, Any]:
    """Read a file, and return how that went: read, refused, or what is wrong."""
    try:
        read(path)
    except (ValueError, OSError) as error:
        if not_a_sentence(str(error), path):
            return {"became": "no sentence", "said": f"{type(error).__name__}: {error}"}
        return {"became": "refused", "said": str(error)}
    except MemoryError as error:
        return {"became": "too large", "said": f"MemoryError: {error}"}
    except Exception as error:  # the very thing that is looked for
        return {"became": "other error", "said": f"{type(error).__name__}: {error}"}
    return {"became": "read", "said": ""}


def main(kind: str, gigabytes: float, seconds: float) -> None:
    """Answer line by line until standard input ends."""
    warnings.simplefilter("error")
    own = Path(__file__).with_name("nothing to read")
    outcome(READERS[kind], own)  # loads whatever reading loads, before room is counted
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = pages * resource.getpagesize() + int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    print("ready", flush=True)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        answer = outcome(READERS[kind], Path(line.removesuffix("\n")))
        signal.setitimer(signal.ITIMER_PROF, 0)
        answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
