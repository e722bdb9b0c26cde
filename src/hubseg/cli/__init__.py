"""The command line: the second view of the core.

Responsible for the commands other programs use (their names, options and exit codes are a
contract): 0 done, 1 failed, 2 wrong usage, 3 done in part. Does no work of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from hubseg import __version__
from hubseg.cli import (
    benchmarks,
    calibrating,
    evaluating,
    importing,
    keeping,
    masks,
    measuring,
    minutes,
    naming,
    predicting,
    recipes,
    reporting,
    review,
    sharing,
    teaching,
    training,
)
from hubseg.cli._said import Answer
from hubseg.failure import EXPECTED, one_sentence
from hubseg.process.logs import library_logs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

__all__ = ["main", "parser"]

_COMMANDS = (
    *(predicting, recipes, masks, importing, keeping, calibrating),
    *(
        evaluating,
        measuring,
        minutes,
        reporting,
        teaching,
        training,
        sharing,
        naming,
        review,
        benchmarks,
    ),
)


class _Parser(argparse.ArgumentParser):
    """Says wrong usage as JSON too where that is asked for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.as_json = False

    def error(self, message: str) -> NoReturn:
        if self.as_json:
            sys.stdout.write(json.dumps({"error": message}) + "\n")
        super().error(message)


def parser(*, as_json: bool = False) -> argparse.ArgumentParser:
    """Return the parser of every command; `as_json` also prints wrong usage as an object."""
    top = _Parser(
        prog="hubseg",
        description="From an ensemble's probability maps to masks a pathologist trusts, and back.",
    )
    top.add_argument("--version", action="version", version=f"hubseg {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.add_to(commands)
    for one in (top, *commands.choices.values()):
        one.as_json = as_json
    for one in commands.choices.values():
        one.add_argument(
            "-v", "--verbose", action="store_true", help="show the logs of libraries and workers"
        )
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    given = parser(as_json="--json" in words).parse_args(arguments)
    answer = Answer(given.command, as_json=getattr(given, "json", False))
    code: int | None = None
    with library_logs(verbose=given.verbose):
        try:
            code = given.run(given, answer)
        except KeyboardInterrupt:
            answer.fail("stopped; what was finished is kept.")
        except EXPECTED as error:
            answer.fail(one_sentence(error))
        except BaseException as error:  # a fault of ours: JSON all the same, then the traceback
            answer.fail(one_sentence(error))
            answer.end()
            raise
    return answer.end(code)
