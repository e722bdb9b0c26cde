"""The review session: the one owner of all mutable review state, for any view.

Responsible for keeping journal, edits, thresholds, verdicts and mask in step, and for saying what
happened: signals are facts in the past tense, and a change is on the disk before `saved` fires.
Does not know Qt, napari, networks, or how the project stores its rows.

All methods are called from one thread; only :meth:`MaskRequest.compute` runs elsewhere.
"""

from hubseg.journal.verdict import Verdict
from hubseg.mask.live import MaskRequest
from hubseg.session.files import ChangedFile, Files
from hubseg.session.navigation import Navigation
from hubseg.session.rules import Rules
from hubseg.session.standing import Departure
from hubseg.session.work import Work

__all__ = ["ChangedFile", "Departure", "MaskRequest", "ReviewSession", "Verdict"]


class ReviewSession(Files, Navigation, Rules, Work):
    """What is being reviewed, and everything a person does to it.

    What a person does in a slide never raises because of the disk or a second writer: `failed`
    says so in one sentence. A full disk keeps the work in memory and it is written with the next
    change, by :meth:`save`, or by :meth:`close`.

    Parameters
    ----------
    author
        Who reviews; default: the user of the machine.

    Attributes
    ----------
    project
        The open project, or None.
    last_saved
        When a change last reached the disk, UTC.
    order
        Ids in the order they shall come up; () is that of the table.
    hidden
        Ids that a filter leaves out: the next slide is none of them.
    unkept
        Ids of slides that an older version accepted without keeping their mask.
    unopened
        Why the current slide's file cannot be opened; "" where it can.
    undo_budget
        How far undo reaches back, bytes of compressed changes; restarts make no difference.
    """
