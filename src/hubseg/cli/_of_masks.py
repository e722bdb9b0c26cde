"""What commands share that write one file about every mask of a project.

Responsible for their options and for the keywords that they go through slides with. Does not know
what is written.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from hubseg.cli._said import add_json, add_partial, bar

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from hubseg.cli._said import Answer
    from hubseg.outcome import Outcome
    from hubseg.project import ReviewProject

__all__ = ["EachSlide", "add_masks", "each_mask"]


class EachSlide(TypedDict):
    """Keywords: what is taken, what takes sentences, and what is called after each slide."""

    partial: bool
    outcome: Outcome
    on_slide: Callable[[], object]


def add_masks(command: argparse.ArgumentParser, file: str) -> None:
    """Give a command a project, ``--out``, ``--partial`` and ``--json``; it writes `file`."""
    command.add_argument("project", type=Path, help="NAME.hubseg")
    command.add_argument("--out", type=Path, required=True, help=f"the {file} file")
    add_partial(command)
    add_json(command)


@contextmanager
def each_mask(given: argparse.Namespace, answer: Answer) -> Iterator[tuple[ReviewProject, Any]]:
    """Open the project that was named for reading; yield it with :class:`EachSlide`."""
    from hubseg.project import ReviewProject

    with ReviewProject.for_reading(given.project) as project:
        with bar(len(project.slides()), "slide") as shown:
            each: EachSlide = {
                "partial": given.partial,
                "outcome": answer.outcome,
                "on_slide": shown.update,
            }
            yield project, each
