"""Where on a whole slide a run is, at the desk."""

from __future__ import annotations

from napari_hubseg.panels.run_places import RunPlacesPanel, RunPlacesState
from napari_hubseg.presenters.presenter import Presenter, Wishes

__all__ = ["RunPlacesPresenter"]


class RunPlacesPresenter(Presenter[RunPlacesPanel, RunPlacesState]):
    """Shows where a run is."""

    def wishes(self) -> Wishes:
        return ()

    def state(self, step: str) -> RunPlacesState:
        places = self._desk.run_places
        slide = places.slide
        if slide is None:
            return RunPlacesState()
        return RunPlacesState(
            slide.id,
            (slide.height, slide.width),
            places.regions,
            places.tiles,
            places.picture is not None,
            places.picture,
        )
