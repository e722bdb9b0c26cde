"""The strip of structures at the desk."""

from __future__ import annotations

from napari_hubseg.panels.structures import Chip, StructuresPanel, StructuresState
from napari_hubseg.presenters.presenter import Presenter, Wishes

__all__ = ["StructuresPresenter"]


class StructuresPresenter(Presenter[StructuresPanel, StructuresState]):
    """Connects the strip of structures."""

    def wishes(self) -> Wishes:
        structures = self._desk.structures
        yield self._panel.structure_requested, structures.choose
        yield self._panel.eye_requested, structures.toggle
        yield self._panel.reassign_requested, structures.reassign
        structures.asked.connect(self._panel.ask_what_it_is)

    def state(self, step: str) -> StructuresState:
        desk, session = self._desk, self._desk.session
        here, outlines = session.structures, desk.outlines
        if len(here) < 2 or session.current is None:
            return StructuresState()
        chips = []
        for name in here:
            chosen = name == session.structure
            known = None if name is None else session.vocabulary.structure(name)
            figures = desk.derivation.figures
            own = None if figures.pending else figures.objects
            chips.append(
                Chip(
                    name=str(name or ""),
                    label=str(name or "object") if known is None else known.label,
                    colour=outlines.colour(name),
                    objects=own if chosen else desk.others.counts.get(name),
                    chosen=chosen,
                    seen=name not in outlines.hidden,
                )
            )
        return StructuresState(tuple(chips))
