"""The command line: the second view of the core.

Responsible for the commands other programs use (their names, options and exit codes are a
contract): 0 done, 1 failed, 2 wrong usage, 3 done in part. Does no work of its own.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from hubseg import __version__
from hubseg.cli import (
    benchmarks,
    calibrating,
    evaluating,
    keeping,
    masks,
    predicting,
    recipes,
    reporting,
    review,
    sharing,
    training,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "parser"]

_COMMANDS = (
    *(predicting, recipes, masks, keeping, calibrating),
    *(evaluating, reporting, training, sharing, review, benchmarks),
)
# said in one sentence, without a traceback
_EXPECTED = (ValueError, OSError, RuntimeError, MemoryError, ModuleNotFoundError)


def parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    top = argparse.ArgumentParser(
        prog="hubseg",
        description="From an ensemble's probability maps to masks a pathologist trusts, and back.",
    )
    top.add_argument("--version", action="version", version=f"hubseg {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.add_to(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    given = parser().parse_args(arguments)
    try:
        code: int = given.run(given)
    except KeyboardInterrupt:
        sys.stderr.write("hubseg: stopped; what was finished is kept.\n")
        return 1
    except _EXPECTED as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        sys.stderr.write(f"hubseg {given.command}: {said[0]}\n")
        return 1
    return code
