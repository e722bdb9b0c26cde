"""What is said with a button: a question, what a recipe brings, and the way back from a step.

Responsible for how long an offer holds: what stands there is what its button does, and what Ctrl+Z
does where it is a step of a slide that has left the screen. Does not know where it is shown.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hubseg.journal.rows import Entry, Kind
from hubseg.session.gestures import opened_again
from napari_hubseg.actions import key_of
from napari_hubseg.desk.letters import Letters
from napari_hubseg.desk.offer import Offer, step_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.session import ReviewSession
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.recipe_rules import BroughtRules

__all__ = ["Offers"]

_NAMED = 3  # steps
_READ = 20_000  # ms after which what was said of a step or a key has been read
_AS_DRAWN = (
    " Where today's settings differ from what you accepted, that is kept as if drawn: the slider "
    "does not move it."
)


class Offers:
    """Offer something, take it, take it back.

    Parameters
    ----------
    session
        Whose steps are taken back.
    signals
        Where things are said.
    show
        Shows the slide that a step was taken back on.
    background
        Whose timer says that something has been read.

    Attributes
    ----------
    letters
        What letters on the canvas mean now.
    """

    def __init__(
        self,
        session: ReviewSession,
        signals: DeskSignals,
        show: Callable[[str], object],
        background: Background,
    ) -> None:
        self._session, self._signals, self._show = session, signals, show
        self._read = background.timer(_READ, self._fade)
        self._offer: Offer | None = None
        self._step: Entry | None = None  # what was done last, until a person goes on
        self._of_tool: Offer | None = None  # what was said of the tool in hand
        self._of_letters: Offer | None = None  # what was said of letters that are text
        self._of_recipe: Offer | None = None  # what was said of the rules that one brings
        self._gone_on = False  # to another slide, since something was offered
        self._was_read = False
        self._here = ""  # what a tool said of the slide on screen
        self.letters = Letters()
        session.slide_changed.connect(self._withdraw)
        session.history_changed.connect(self._withdraw_spent)
        session.slides_changed.connect(self.withdraw_step)
        session.recorded.connect(self._say_step)
        session.slide_changed.connect(self._unsay_here)
        session.recorded.connect(self._unsay_here)

    def say_here(self, sentence: str) -> None:
        """Say what a tool found, until something is done or another slide is shown."""
        self._here = sentence
        self._signals.told.emit(sentence)

    def _unsay_here(self, _: object = None) -> None:
        if self._here:
            self._signals.unsaid.emit(self._here)
            self._here = ""

    def offer(self, offer: Offer) -> None:
        """Say something that a person may do something about."""
        self._offer, self._gone_on, self._was_read = offer, False, False
        self._signals.offered.emit(offer)
        self._read.start()

    def _fade(self) -> None:
        """Take away what was said of a step or a key, once it was read: it lies on the tissue.

        A question stays, that about a recipe's rules until a person works on with them. What a
        step's button does, Ctrl+Z goes on doing.
        """
        offer, self._was_read = self._offer, True
        taken = self._gone_on and offer is self._of_recipe
        if offer is not None and (taken or offer.step is not None or not offer.label):
            self.drop_offer()

    def take_offer(self) -> None:
        """Do what was offered."""
        offer = self._offer
        self.drop_offer()
        if offer is not None:
            offer.take()

    def drop_offer(self) -> None:
        """Offer nothing any more."""
        if self._offer is not None:
            self._offer = None
            self._signals.offered.emit(None)
            self._signals.changed.emit()

    def dismiss(self) -> None:
        """Take away what is said; a step whose way back was offered is meant then."""
        if self._offer is not None and self._offer.step is self._step:
            self._step = None
        self.drop_offer()

    def is_offered(self, label: str) -> bool:
        """Whether that is what was offered last, and still holds."""
        return self._offer is not None and self._offer.label == label

    @property
    def standing(self) -> Offer | None:
        """What is offered now."""
        return self._offer

    @property
    def step_elsewhere(self) -> Entry | None:
        """What undo takes back on a slide that has left the screen since, or None."""
        step = self._step
        if step is None or step.kind in (Kind.UNDO, Kind.REDO) or self._session.current is None:
            return None
        return None if self._is_here(step) else step

    def take_back_elsewhere(self) -> None:
        """Undo :attr:`step_elsewhere` and show its slide, whatever has been said since."""
        step = self.step_elsewhere
        if step is not None:
            self.withdraw_step()
            self._take_back(step)

    def _withdraw(self, _: object = None) -> None:
        """Take back what was offered for a slide that has changed or is no longer on screen."""
        if self._offer is not None and self._offer.slide_id:
            self.drop_offer()

    def _withdraw_spent(self, _: object = None) -> None:
        """Take back what was offered for a slide as it was until now."""
        if self._offer is not None and not self._offer.stays:
            self._withdraw()

    def withdraw_step(self) -> None:
        """Offer no way back from a step any more: a person has gone on."""
        self._step, self._gone_on = None, True
        if self._was_read:
            self._fade()
        if self._offer is not None and self._offer.step is not None:
            self.drop_offer()

    def announce(self, brought: BroughtRules) -> None:
        """Say what a recipe brings, with the way back."""
        self.offer(Offer(brought.sentence, brought.label, lambda: brought.take_back(self._session)))
        self._of_recipe = self._offer

    def _say_step(self, row: Entry) -> None:
        """Say what was done just now, with the way back."""
        self.letters.note(row)
        if not row.is_step:
            return
        self._step = row
        if row.kind in (Kind.THRESHOLD, Kind.CLEANUP) and self._offer is self._of_recipe:
            self.drop_offer()  # a person has said since what holds
        reopened = self._reopens(row)
        by_key = row.kind is Kind.THRESHOLD and self.letters.last
        if row.kind is Kind.VERDICT or by_key or reopened:
            said = _sentence(row)
            if reopened and not _opens(row):
                said += f" Slide {row.slide_id} was accepted and is open again."
            if reopened and row.kind is Kind.GESTURE and self._session.kept_as_drawn:
                said += _AS_DRAWN
            self.offer(Offer(said, "Undo", lambda: self._take_back(row), step=row))
        elif row.kind is Kind.UNDO:
            redo = self._session.redo if self._is_here(row) else None
            said = f"Undid: {step_words(row.label.removeprefix('undo '))}."
            self.offer(Offer(said, "Redo" if redo else "", redo or (lambda: None), step=row))
        elif row.kind is Kind.REDO:
            said = f"Did again: {step_words(row.label.removeprefix('redo '))}."
            self.offer(Offer(said, "Undo", self._session.undo, step=row))
        elif self._offer is not None and self._offer.step is not None:
            self.drop_offer()

    def say(self, sentence: str) -> None:
        """Say what a key did that is no step of the journal; what has a button stays beside it."""
        standing = self._offer
        if standing is not None and standing is self._of_letters:
            return  # what letters did until they were text is what a person has to read
        if standing is not None and standing.label:
            self.say_here(sentence)
        else:
            self.offer(Offer(sentence, "", lambda: None))

    def say_tool(self, sentence: str) -> None:
        """Say which tool is in hand, until another one is; "" says nothing any more."""
        if self._offer is not None and self._offer is self._of_tool:
            self.drop_offer()
        before = self._offer
        if sentence:
            self.say(sentence)
        self._of_tool = self._offer if self._offer is not before else None

    def say_letters(self) -> None:
        """Say that letters are text now, and what they did before, with the way back."""
        done = self.letters.done
        stray = self.letters.stray
        said = (
            f"{stray[:1].upper()}{stray[1:]} is no command, so this looks like text: letters do "
            f"nothing until Esc or a click. {key_of('write_note')} writes a note."
        )
        if done:
            last, names = done[-1], ", ".join(row.label for row in done[: -_NAMED - 1 : -1])
            back = partial(self._take_back, last)
            self.offer(Offer(f"{said} Before, they did: {names}.", "Undo", back, step=last))
        else:
            self.say(said)
        self._of_letters = self._offer

    def letters_again(self) -> None:
        """Say no more that letters are text."""
        if self._offer is not None and self._offer is self._of_letters:
            self.drop_offer()

    def _reopens(self, row: Entry) -> bool:
        """Whether a step, just written, opens a slide that has been accepted until now."""
        kinds = (Kind.GESTURE, Kind.IMPORTED, Kind.THRESHOLD)
        touches = row.kind in kinds and row.slide_id is not None
        return touches and self._session.verdict(str(row.slide_id)).stands

    def _is_here(self, row: Entry) -> bool:
        here = self._session.current
        return here is not None and row.slide_id in (None, here.id)

    def _take_back(self, step: Entry) -> None:
        """Undo a step and show its slide."""
        if self._session.take_back(step) and not self._is_here(step):
            self._show(str(step.slide_id))
        self._signals.changed.emit()


def _opens(step: Entry) -> bool:
    """Whether a step did nothing but open an accepted slide again."""
    return step.slide_id is not None and step.label == opened_again(step.slide_id)


def _sentence(step: Entry) -> str:
    """Return what a person did, as a sentence."""
    words = step_words(step.label)
    if _opens(step):
        return f"Slide {step.slide_id} is open again, its mask as you accepted it."
    if step.kind is Kind.VERDICT and step.slide_id is not None:
        said, _, more = words.partition(f" slide {step.slide_id}")
        words = f"slide {step.slide_id} {said}{more}"
    elif step.kind is Kind.THRESHOLD and step.slide_id is None:
        words += ", for every slide of this kind"
    return f"{words[:1].upper()}{words[1:]}."
