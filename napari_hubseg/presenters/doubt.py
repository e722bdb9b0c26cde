"""The doubt panel at the desk: objects by confidence, and the way to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.doubt import DoubtfulObject, DoubtPanel, DoubtState
from napari_hubseg.presenters.presenter import Callbacks, SectionPresenter, Wishes

if TYPE_CHECKING:
    from hubseg.probability.uncertainty import ObjectConfidence
    from napari_hubseg.jobs.doubt import Doubt

__all__ = ["DoubtPresenter"]


class DoubtPresenter(SectionPresenter[DoubtPanel, DoubtState]):
    """Connects the doubt panel."""

    def wishes(self) -> Wishes:
        yield self._panel.list_requested, self._do("list_doubt")
        yield self._panel.next_requested, self._do("next_doubt")
        yield self._panel.visit_requested, self._desk.layers.visit

    def callbacks(self) -> Callbacks:
        return {"list_doubt": self._list}

    def _list(self) -> None:
        self._section.expand()
        self._desk.doubt.judge()

    def state(self, step: str) -> DoubtState:
        doubt, session = self._desk.doubt, self._desk.session
        return DoubtState(
            objects=None if doubt.objects is None else tuple(_shown(one) for one in doubt.objects),
            said=_said(doubt),
            busy=doubt.busy,
            enabled=session.probability is not None,
        )

    def summary(self, state: DoubtState) -> str:
        if state.objects is None:
            return ""
        count = len(state.objects)
        return f"{count} object{'' if count == 1 else 's'}"


def _shown(one: ObjectConfidence) -> DoubtfulObject:
    agreed = "" if one.agreement is None else f"  ·  agreed {100 * one.agreement:.0f} %"
    said = f"{100 * one.confidence:.0f} %  ·  margin {one.margin:+.0f}{agreed}  ·  {one.area} px"
    return DoubtfulObject(one.row, one.column, said)


def _said(doubt: Doubt) -> str:
    if doubt.objects is None or doubt.expected is None:
        return ""
    members = "" if doubt.agreement is None else f"; networks agree {doubt.agreement:.3f}"
    return (
        f"Expected agreement {doubt.expected:.3f} without a truth{members}. It ranks slides by "
        "doubt; it does not promise a Dice."
    )
