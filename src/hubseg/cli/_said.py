"""How every command speaks: tables and JSON on stdout, progress and complaints on stderr.

Responsible for one answer per command, whatever happens: what was done, what was left out, what is
worth knowing, and the exit code. Does not know commands.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hubseg.outcome import Outcome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "Answer",
    "add_json",
    "add_partial",
    "add_structure",
    "add_unlisted_empty",
    "bar",
    "table",
]


def add_json(parser: argparse.ArgumentParser) -> None:
    """Give a command its ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def add_partial(parser: argparse.ArgumentParser) -> None:
    """Give a command its ``--partial``."""
    parser.add_argument(
        "--partial",
        action="store_true",
        help="also take maps of fewer members than were asked for; each is said",
    )


def add_structure(parser: argparse.ArgumentParser) -> None:
    """Give a command its ``--structure``."""
    parser.add_argument(
        "--structure",
        metavar="NAME",
        help="which structure of several; default: each slide's first, its organ's own",
    )


def add_unlisted_empty(parser: argparse.ArgumentParser) -> None:
    """Give a command its ``--unlisted-empty``."""
    parser.add_argument(
        "--unlisted-empty",
        action="store_true",
        help="images without a row in the table hold nothing: for one that lists positives only",
    )


class Answer:
    """What one command answers.

    Parameters
    ----------
    command
        Its name, which every sentence on stderr begins with.
    as_json
        Print one JSON object instead of lines.

    Attributes
    ----------
    outcome
        Counts slides; decides the exit code unless the command does itself.
    """

    def __init__(self, command: str, *, as_json: bool = False) -> None:
        self.command = command
        self.outcome = Outcome()
        self._as_json = as_json
        self._content: dict[str, Any] = {}
        self._lines: list[str] = []
        self._error = ""
        self._told: set[tuple[str, str]] = set()

    def say(self, content: Mapping[str, Any], lines: Iterable[str]) -> None:
        """Set what is printed at the end: `content` as JSON where asked for, else `lines`."""
        self._content, self._lines = dict(content), list(lines)

    def tell(self) -> None:
        """List what was left out and noticed since the last time, one sentence each."""
        self._complain("note: ", self.outcome.notes)
        self._complain("", self.outcome.left_out)

    def summarise(self, notes: Mapping[str, str], summary: Iterable[str]) -> None:
        """Take notes of which only a summary is for a person; an object has them all."""
        self.outcome.take_notes(notes.items())
        self._told.update(notes.items())
        for sentence in summary:
            sys.stderr.write(f"hubseg {self.command}: note: {sentence}\n")

    def fail(self, sentence: str) -> None:
        """End the command with a sentence about why."""
        self._error = sentence

    def end(self, code: int | None = None) -> int:
        """Print the answer; return `code`, or the one that follows from the outcome."""
        self.tell()
        if self._error:
            sys.stderr.write(f"hubseg {self.command}: {self._error}\n")
        if self._as_json:
            found = {"left_out": self.outcome.left_out, "notes": self.outcome.notes}
            error = {"error": self._error} if self._error else {}
            _write(json.dumps(_finite({**self._content, **found, **error}), allow_nan=False))
        elif not self._error and self._lines:
            _write("\n".join(self._lines))
        if self._error:
            return 1
        return self.outcome.code if code is None else code

    def _complain(self, kind: str, sentences: Mapping[str, str]) -> None:
        for name, why in sentences.items():
            if (name, why) not in self._told:
                self._told.add((name, why))
                sys.stderr.write(f"hubseg {self.command}: {kind}{name}: {why}\n")


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"  # a file's name may hold what it cannot say
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()


def _finite(value: Any) -> Any:
    """Return `value` with null where a number is none: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table with aligned columns."""
    cells = [list(head), *([_cell(c) for c in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        yield "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


@contextmanager
def bar(total: int, unit: str) -> Iterator[Any]:
    """Show progress on stderr with rate and time left; silent where nobody watches."""
    from tqdm import tqdm

    with tqdm(total=total, unit=unit, file=sys.stderr, disable=None, leave=False) as shown:
        yield shown
