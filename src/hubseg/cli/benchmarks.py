"""``hubseg bench``: the paired measurements of a source checkout's benchmarks folder."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubseg.cli._said import Answer

__all__ = ["add_to"]

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    bench = commands.add_parser("bench", help="measure: ours beside a plain way, in one run")
    bench.add_argument("what", nargs="?", help="such as ensemble or core; default: list them")
    bench.add_argument("rest", nargs=argparse.REMAINDER, help="options of the measurement")
    bench.set_defaults(run=_bench)


def _bench(given: argparse.Namespace, answer: Answer) -> int:
    del answer  # the measurement speaks for itself
    known = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
    if not known:
        raise FileNotFoundError(
            "The measurements are not part of an installed package: run this in a source checkout."
        )
    if given.what is None:
        sys.stdout.write("\n".join(known) + "\n")
        return 0
    if given.what not in known:
        raise ValueError(f"No measurement {given.what!r}: use one of {', '.join(known)}.")
    command = [sys.executable, str(FOLDER / f"{given.what}.py"), *given.rest]
    return subprocess.run(command, check=False).returncode
