"""A question whose newest answer alone counts, and signals that are listened to until the end.

Responsible for dropping what comes too late: an answer to an older question, or anything after the
end. Does not know what is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hubseg.jobs.background import Background

__all__ = ["Latest", "listening"]

_Answer = TypeVar("_Answer")


class Latest:
    """Asks in a thread; a new question, or :meth:`drop`, makes the answers before it worthless.

    Parameters
    ----------
    background
        Where the work is done.
    failed
        Called with one sentence when the newest question could not be answered.
    changed
        Called whenever `busy` is another one, if that matters to anybody.

    Attributes
    ----------
    busy
        Whether the newest question waits for its answer.
    """

    def __init__(
        self,
        background: Background,
        failed: Callable[[str], object],
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self._background, self._failed, self._changed = background, failed, changed
        self._asked = 0
        self.busy = False

    def ask(
        self,
        work: Callable[[], _Answer],
        then: Callable[[_Answer], object],
        failed: Callable[[str], object] | None = None,
    ) -> None:
        """Do `work` in a thread, then `then` with its answer in the window's, or `failed`."""
        self._asked += 1
        asked, self.busy = self._asked, True

        def take(do: Callable[[Any], object]) -> Callable[[Any], None]:
            def taken(answer: Any) -> None:
                if asked == self._asked:
                    self.busy = False
                    do(answer)
                    self._changed()

            return taken

        self._changed()
        self._background.submit(work, take(then), take(failed or self._failed))

    def later(self, work: Callable[[], object]) -> None:
        """Do `work` in the window's thread once what runs now is drawn, unless it is dropped."""
        asked = self._asked
        self._background.later(lambda: work() if asked == self._asked else None)

    def drop(self) -> None:
        """Want no answer any more."""
        self._asked += 1
        self.busy = False


def listening(
    *pairs: tuple[Any, Callable[..., object]],
) -> Callable[[], None]:
    """Connect each signal, or napari event, to its slot; return what disconnects them all."""
    for signal, slot in pairs:
        signal.connect(slot)

    def stop() -> None:
        for signal, slot in pairs:
            signal.disconnect(slot)

    return stop
