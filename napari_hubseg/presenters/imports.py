"""Importing masks at the desk: what would be done, shown before it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from qtpy.QtCore import Qt

from hubseg.export.importing import How
from napari_hubseg.widgets.import_masks import ImportDialog, ImportRow, ImportState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

    from hubseg.export.proposal import Proposed
    from hubseg.journal.imported import Role
    from napari_hubseg.desk import Desk
    from napari_hubseg.widgets.import_masks import ImportChoice

__all__ = ["ask", "state_of"]


def ask(
    found: Sequence[Proposed], desk: Desk, over: QWidget, roles: Sequence[tuple[str, object]]
) -> ImportDialog:
    """Open the form for what was found in files, and return it."""
    classes = tuple(dict.fromkeys(name for one in found for name in one.classes))
    sizes = any(one.factor != 1.0 for one in found)
    imports = desk.imports
    form = ImportDialog(over, roles, imports.role, classes, sizes=sizes)
    form.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

    def take(choice: ImportChoice) -> None:
        told = ((imports.ended, form.end), (imports.progressed, form.show_progress))
        for signal, slot in told:
            signal.connect(slot)
            form.finished.connect(lambda _, heard=signal, slot=slot: heard.disconnect(slot))
        imports.take(found, _how(choice))

    form.changed.connect(lambda choice: form.show_state(state_of(found, choice)))
    form.taken.connect(take)
    form.stopped.connect(imports.stop)
    form.show_state(state_of(found, form.choice()))
    form.open()
    return form


def state_of(found: Sequence[Proposed], choice: ImportChoice) -> ImportState:
    """Return what the form shows of a choice."""
    rows, how = [], _how(choice)
    for one in found:
        why, holds = one.why_not(how), one.holds(how.only)
        said = why or one.becomes(how)
        rows.append(ImportRow(one.name, one.slide_id or "–", holds, said, not why))
    count = sum(row.is_taken for row in rows)
    left = f" {len(rows) - count} left out." if count < len(rows) else ""
    undo = " One undo takes all back." if count and how.role != "truth" else ""
    each = ("all classes, each onto its structure",) if how.role == "labels" else ()
    remarks = "".join(f" {one.remark}" for one in found if one.remark)
    said = f"{count} of {len(rows)} will be taken over.{left}{undo}{remarks}"
    return ImportState(tuple(rows), said, *each)


def _how(choice: ImportChoice) -> How:
    return How(cast("Role", choice.role), choice.fit, choice.only)
