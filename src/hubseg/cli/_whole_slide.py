"""The demo's whole slide: made on the fly by a process of its own, and described.

Responsible for progress, for stopping it, and for what is said of the file. Does not know how
tissue is drawn (:mod:`hubseg.synthetic.whole_slide`), nor windows.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import bar
from hubseg.slide import read_slide

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["described", "made_slide", "parsed_size"]


def parsed_size(text: str) -> tuple[int, int]:
    """Return height and width of ``16000x20000``, px.

    Raises
    ------
    ValueError
        When it is none.
    """
    found = re.fullmatch(r"(\d{3,6})[x×](\d{3,6})", text)
    if found is None:
        raise ValueError(f"{text!r} is no size: write height and width in px, as 16000x20000.")
    return int(found[1]), int(found[2])


def made_slide(out: Path, size: tuple[int, int]) -> tuple[Path, float]:
    """Make a slide of (height, width) px in a folder, where it is not there already.

    Ctrl+C stops it, and leaves nothing of it.

    Returns
    -------
    path, seconds
        The file, and how long it took; 0 where it was there.

    Raises
    ------
    RuntimeError
        When it cannot be made.
    """
    path = out / f"whole_slide_{size[0]}x{size[1]}.tif"
    if path.is_file() and _is_right(path, size):
        return path, 0.0
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    asked = [str(path), "--whole-slide", "--height", str(size[0]), "--width", str(size[1])]
    with subprocess.Popen(
        [sys.executable, "-m", "hubseg.synthetic", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as making:
        try:
            _follow(making)
        except BaseException:
            making.terminate()  # it removes what it has written
            raise
        said = making.stderr.read() if making.stderr else ""
    if making.returncode:
        why = said.strip().rpartition("\n")[2].rpartition("Error: ")[2] or "it ended"
        raise RuntimeError(f"The slide could not be made: {why}")
    return path, time.monotonic() - began


def described(path: Path) -> dict[str, Any]:
    """Return what a slide is: its size, levels, pixel size and bytes."""
    slide = read_slide(path)
    return {
        "path": str(path),
        "height": slide.height,
        "width": slide.width,
        "levels": [list(level) for level in slide.levels],
        "um_per_px": slide.um_per_px,
        "bytes": path.stat().st_size,
    }


def _follow(making: subprocess.Popen[str]) -> None:
    """Show how far it is: each line says how many tiles of how many are written."""
    with bar(0, "tile") as shown:
        for line in making.stdout or ():
            done, _, total = line.partition("/")
            if total.strip().isdecimal():
                shown.total = int(total)
                shown.update(int(done) - shown.n)


def _is_right(path: Path, size: tuple[int, int]) -> bool:
    try:
        slide = read_slide(path)
    except (OSError, ValueError):
        return False
    return (slide.height, slide.width) == size
