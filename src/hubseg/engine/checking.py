"""Every checkpoint of a run is looked at once, before the first slide.

Responsible for which files still have to be looked at and for the one sentence when some cannot be
used. Does not know how a file is looked at, nor runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.engine.job import Refused
from hubseg.engine.worker import check_checkpoint
from hubseg.probability import file_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping
    from pathlib import Path

    from hubseg.recipe import Member, Recipe

__all__ = ["Checked", "Checks"]

Checked = tuple[str, str, int | None]
"""A checkpoint that can be used: digest of the file, the network as JSON, its size in px."""


class Checks:
    """The checkpoints of one run that nobody has looked at yet.

    Parameters
    ----------
    files
        The file of each checkpoint, by its name.
    checked
        Those known to be usable; new ones are added.

    Attributes
    ----------
    waiting
        Tasks under way, each with what it looks at.
    """

    def __init__(
        self,
        recipe: Recipe,
        members: Iterable[Member],
        files: Mapping[str, Path],
        checked: set[Checked],
    ) -> None:
        self.waiting: dict[Any, Checked] = {}
        self._recipe, self._files, self._checked = recipe, files, checked
        self._new = {
            what: member for member in members if (what := self._what(member)) not in checked
        }
        self._notes: dict[Checked, tuple[str, ...]] = {}
        self._refused: dict[Checked, str] = {}

    def _what(self, member: Member) -> Checked:
        size = self._recipe.resolutions[member.resolution].size
        digest = file_digest(self._files[member.checkpoint])
        return digest, member.network.model_dump_json(), size

    def follow(
        self,
        client: Any,
        done: Callable[[Any], object],
        wait: Callable[[Any, Container[Any]], Any],
    ) -> Iterator[str]:
        """Look at them, and yield what there is to note.

        Parameters
        ----------
        done
            Called with each task that has ended.
        wait
            Returns the next of the tasks under way that has ended.

        Raises
        ------
        ValueError
            When a checkpoint cannot be used; the first of them is named.
        """
        self.submit(client, done)
        while self.waiting:
            self.take(wait(client, self.waiting))
        yield from self.conclude()

    def submit(self, client: Any, done: Callable[[Any], object]) -> None:
        """Give the tasks to the workers; `done` is called with each that has ended."""
        for what, member in self._new.items():
            path = self._files[member.checkpoint]
            task = client.submit(check_checkpoint, self._recipe, member, path, pure=False)
            self.waiting[task] = what
            task.add_done_callback(done)

    def take(self, task: Any) -> None:
        """Take the answer of a task that has ended."""
        what = self.waiting.pop(task)
        answer = task.result()
        task.release()
        if isinstance(answer, Refused):
            self._refused[what] = answer.why
        else:
            self._checked.add(what)
            self._notes[what] = tuple(answer)

    def conclude(self) -> tuple[str, ...]:
        """Return what there is to note, in the recipe's order, whoever was looked at first.

        Raises
        ------
        ValueError
            When a checkpoint cannot be used; the first of them is named.
        """
        refused = [self._refused[what] for what in self._new if what in self._refused]
        if not refused:
            noted = (self._notes[what] for what in self._new if what in self._notes)
            return tuple(dict.fromkeys(note for notes in noted for note in notes))
        more = len(refused) - 1
        others = f" {more} more cannot be used: hubseg recipe check lists them." if more else ""
        raise ValueError(refused[0] + others)
