"""The doubt panel at the desk: objects by confidence, and the way to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.doubt import DoubtfulObject, DoubtState
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hubseg.probability.uncertainty import ObjectConfidence
    from napari_hubseg.desk import Desk
    from napari_hubseg.jobs.doubt import Doubt
    from napari_hubseg.panels.doubt import DoubtPanel
    from napari_hubseg.presenters.presenter import Do
    from napari_hubseg.widgets.style import Section

__all__ = ["DoubtPresenter"]


class DoubtPresenter(Presenter):
    """Connects the doubt panel."""

    def __init__(self, panel: DoubtPanel, section: Section, desk: Desk, do: Do) -> None:
        self._panel, self._section, self._desk = panel, section, desk
        panel.list_requested.connect(do("list_doubt"))
        panel.next_requested.connect(do("next_doubt"))
        panel.visit_requested.connect(desk.layers.visit)

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this panel can do."""
        return {"list_doubt": self._list}

    def _list(self) -> None:
        self._section.expand()
        self._desk.doubt.judge()

    def show(self, step: str) -> None:
        """Show the list, if there is one."""
        doubt, session = self._desk.doubt, self._desk.session
        objects = None if doubt.objects is None else tuple(_shown(one) for one in doubt.objects)
        self._panel.show_state(
            DoubtState(
                objects=objects,
                said=_said(doubt),
                busy=doubt.busy,
                enabled=session.probability is not None,
            )
        )
        count = len(objects or ())
        counted = f"{count} object{'' if count == 1 else 's'}"
        self._section.set_summary("" if objects is None else counted)


def _shown(one: ObjectConfidence) -> DoubtfulObject:
    agreed = "" if one.agreement is None else f"  ·  agreed {100 * one.agreement:.0f} %"
    said = f"{100 * one.confidence:.0f} %  ·  margin {one.margin:+.0f}{agreed}  ·  {one.area} px"
    return DoubtfulObject(one.row, one.column, said)


def _said(doubt: Doubt) -> str:
    if doubt.objects is None or doubt.expected is None:
        return ""
    members = "" if doubt.agreement is None else f"; members agree {doubt.agreement:.3f}"
    return (
        f"Expected Dice {doubt.expected:.3f} without a truth{members}. It ranks slides by doubt; "
        "it does not promise a Dice."
    )
