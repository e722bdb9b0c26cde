"""What was said is taken back once its cause has gone, or once it was read.

Responsible for which fact ends which words: a sentence about the slide on screen ends with that
slide, one about a run or an export when the next one begins, and what only passes ends a while
after a person has gone on. Does not know where anything is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.journal.rows import Entry
    from napari_hubseg.desk import Desk
    from napari_hubseg.jobs.background import Background

__all__ = ["PassingWords", "SpentWords", "end_words"]

_SEEN: Final = 5_000  # ms until a person who works has looked at what was said
_LETTER: Final = 50  # ms to read one


class SpentWords:
    """Remembers who said what, until a fact makes it untrue.

    Parameters
    ----------
    unsay
        Takes a sentence back, where it still stands.
    """

    def __init__(self, unsay: Callable[[str], object]) -> None:
        self._unsay = unsay

    def end(self, fact: Any, *words: Any) -> None:
        """Take back what the signals `words` said each time that the signal `fact` comes."""
        said: list[str] = []

        def spent(*_: object) -> None:
            spoken = tuple(said)
            said.clear()
            for sentence in spoken:
                self._unsay(sentence)

        for one in words:
            one.connect(said.append)
        fact.connect(spent)


class PassingWords:
    """Takes back what was told once a person has gone on working and had the time to read it.

    Nothing is taken back from whoever is away: the time to read begins with what a person does.

    Parameters
    ----------
    unsay
        Takes a sentence back, where it still stands.
    background
        Whose timer is the time to read.

    Attributes
    ----------
    reading
        The timer: it is on while somebody is known to be there.
    """

    def __init__(self, unsay: Callable[[str], object], background: Background) -> None:
        self._unsay, self._said = unsay, ""
        self.reading = background.timer(_SEEN, self._end)

    def hear(self, sentence: str) -> None:
        """Note what was told; it takes the place of what was told before."""
        self.reading.stop()
        self._said = sentence

    def note(self, *_: object) -> None:
        """Note that a person has done something."""
        if self._said and not self.reading.isActive():
            self.reading.start(_SEEN + _LETTER * len(self._said))

    def note_row(self, row: Entry) -> None:
        """Note a row of the journal, if a person made it."""
        if row.is_step:
            self.note()

    def _end(self) -> None:
        said, self._said = self._said, ""
        self._unsay(said)


def end_words(desk: Desk) -> PassingWords:
    """Take back what the parts of a desk said once its cause has gone, or it was read."""
    words, slide_changed = SpentWords(desk.unsaid.emit), desk.session.slide_changed
    on_slide = (desk.layers, desk.derivation, desk.curves, desk.truth, desk.doubt)
    drawn = (desk.contour, desk.comparison)
    words.end(slide_changed, *(one.failed for one in (*on_slide, *drawn)))
    words.end(slide_changed, desk.doubt.told, desk.files.failed)
    words.end(desk.ensemble.wished, desk.ensemble.failed, desk.ensemble.told)
    words.end(desk.exports.began, desk.exports.failed, desk.exports.finished)
    passing = PassingWords(desk.unsaid.emit, desk.background)
    desk.background.listen(
        (desk.told, passing.hear),
        (desk.settling, passing.note),
        (desk.session.recorded, passing.note_row),
        (slide_changed, passing.note),
        (desk.layers.tool_changed, passing.note),
        (desk.layers.wandering.moved, passing.note),
    )
    return passing
