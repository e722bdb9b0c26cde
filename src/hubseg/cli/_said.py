"""How every command speaks: tables and JSON on stdout, progress and complaints on stderr."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["add_json", "bar", "complain", "say", "table"]


def add_json(parser: argparse.ArgumentParser) -> None:
    """Give a command its ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def say(given: argparse.Namespace, content: Mapping[str, Any], lines: Iterable[str]) -> None:
    """Print `content` as JSON where asked for, else `lines`."""
    text = json.dumps(content, ensure_ascii=False) if given.json else "\n".join(lines)
    sys.stdout.write(text + "\n")


def complain(where: str, sentences: Mapping[str, str]) -> None:
    """List what could not be done, one sentence each."""
    for name, why in sentences.items():
        sys.stderr.write(f"{where}: {name}: {why}\n")


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
