"""``hubseg import``: masks of other programs to correct, to start from, or to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, bar, table
from hubseg.formats.registry import FORMATS
from hubseg.journal.imported import ROLES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from hubseg.cli._said import Answer
    from hubseg.export.importing import How
    from hubseg.export.proposal import Proposed

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    read = ", ".join(one.title for one in FORMATS.values() if one.reads)
    into = commands.add_parser(
        "import", help="take masks of other programs over: to correct or to compare with"
    )
    into.add_argument("project", type=Path, help="NAME.hubseg")
    into.add_argument(
        "masks",
        type=Path,
        help=f"folder of files called as the slides are, or one file: {read}; of a slide that is "
        "worked on in regions each gets what lies in it",
    )
    into.add_argument(
        "--as",
        dest="role",
        choices=tuple(ROLES),
        default="edits",
        help="; ".join(f"{role}: {said}" for role, said in ROLES.items()) + "; default: edits",
    )
    into.add_argument("--yes", action="store_true", help="do it; else what matches is only listed")
    into.add_argument(
        "--fit", action="store_true", help="enlarge or shrink images of another size than the slide"
    )
    into.add_argument(
        "--class",
        dest="only",
        default="",
        metavar="NAME",
        help="take the objects of this class alone, by its name or number in the file",
    )
    into.add_argument(
        "--structure",
        dest="onto",
        default="",
        metavar="NAME",
        help="take them over onto this structure of the slides, whatever their class is called",
    )
    add_json(into)
    into.set_defaults(run=_import)


def _import(given: argparse.Namespace, answer: Answer) -> int:
    from hubseg.export.importing import import_masks
    from hubseg.export.matching import plan_import
    from hubseg.export.proposal import look_into
    from hubseg.project.receiving import receiving
    from hubseg.session import ReviewSession

    outcome, session = answer.outcome, ReviewSession()
    proposed: Sequence[Proposed] = ()
    session.open(given.project)
    try:
        plan = plan_import(given.masks, session.slides)
        outcome.left_out.update(plan.unmatched)
        outcome.take_notes(plan.notes.items())
        if given.yes:
            with bar(len(plan.matched), "slide") as shown:
                import_masks(
                    session,
                    plan,
                    outcome,
                    how=_how(given),
                    on_progress=lambda *_: shown.update(),
                )
        else:
            stands = receiving(session.project, session.slides)
            found = look_into(plan, session.slides, stands)
            proposed = [one for one in found if one.slide_id]
    finally:
        session.close()
    files = plan.files()
    content = {"matched": {name: str(file) for name, file in files.items()}, "as": given.role}
    if given.yes:
        rows = table(("slide", "mask"), [(name, file.name) for name, file in files.items()])
        count = len(outcome.done)
        done = f"{count} slide{'' if count == 1 else 's'} taken over as {given.role}."
        answer.say({**content, "imported": outcome.done}, [*rows, "", done])
        return outcome.code
    _say_proposed(proposed, given, answer, content)
    outcome.note("nothing was changed", "take the masks over with --yes.")
    return 1


def _how(given: argparse.Namespace) -> How:
    from hubseg.export.importing import How

    return How(given.role, given.fit, given.only, given.onto)


def _say_proposed(
    proposed: Sequence[Proposed],
    given: argparse.Namespace,
    answer: Answer,
    content: dict[str, Any],
) -> None:
    """List what would be taken over, what each mask holds, and why some would not."""
    how = _how(given)
    why_not = {one.slide_id: one.why_not(how) for one in proposed}
    rows = [
        (one.slide_id, one.name, one.holds(how.only), why_not[one.slide_id] or one.becomes(how))
        for one in proposed
    ]
    holds = {
        one.slide_id: {
            "objects": one.objects,
            "classes": list(one.classes),
            "factor": one.factor,
            "why_not": why_not[one.slide_id],
            "replaces": one.replaces(how.role),
        }
        for one in proposed
    }
    lines = table(("slide", "mask", "holds", "what becomes of it"), rows)
    if any(one.factor != 1.0 for one in proposed) and not given.fit:
        answer.outcome.note("of another size", "take them over with --fit.")
    answer.say({**content, "holds": holds, "imported": []}, lines)
