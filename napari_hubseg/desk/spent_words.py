"""What was said is taken back once its cause has gone.

Responsible for which fact ends which words: a sentence about the slide on screen ends with that
slide, one about a run or an export when the next one begins. Does not know where anything is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hubseg.desk import Desk

__all__ = ["SpentWords", "end_words"]


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


def end_words(desk: Desk) -> None:
    """Take back what the parts of a desk said once its cause has gone."""
    words, slide_changed = SpentWords(desk.unsaid.emit), desk.session.slide_changed
    on_slide = (desk.layers, desk.derivation, desk.curves, desk.truth, desk.doubt)
    drawn = (desk.contour, desk.comparison)
    words.end(slide_changed, *(one.failed for one in (*on_slide, *drawn)))
    words.end(slide_changed, desk.doubt.told, desk.files.failed)
    words.end(desk.ensemble.began, desk.ensemble.failed, desk.ensemble.told)
    words.end(desk.exports.began, desk.exports.failed, desk.exports.finished)
