"""The facts row at the desk: organ, source and pixel size of the slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.organ import FACTS, ORGANS, DataSource, Organ
from hubseg.slide.series import shown_of
from napari_hubseg.panels.facts import FactsPanel, FactsState
from napari_hubseg.presenters.presenter import Presenter, Wishes
from napari_hubseg.widgets.by_name import Preview

if TYPE_CHECKING:
    from hubseg.session import ReviewSession
    from hubseg.session.by_name import NamedSlide
    from hubseg.slide import UnknownName

__all__ = ["FactsPresenter", "facts_state"]

_CLEARLY = 0.5  # share of the organ head from which it says something
_OFF = 1.5  # factor between two pixel sizes from which they contradict each other


class FactsPresenter(Presenter[FactsPanel, FactsState]):
    """Connects the facts row."""

    def wishes(self) -> Wishes:
        panel, tell = self._panel, self._desk.tell
        yield panel.organ_requested, lambda organ: tell(organ=organ)
        yield panel.source_requested, lambda source: tell(source=source)
        yield panel.um_per_px_requested, lambda size: tell(um_per_px=size)
        yield panel.name_typed, self._desk.tell_name
        yield panel.name_answered, self._desk.take_name
        yield panel.all_requested, self._desk.tell_alike
        yield panel.names_requested, self._ask_by_name
        yield panel.part.chosen, self._desk.slides.open_part

    def _ask_by_name(self) -> None:
        """Open the form for slides whose names fit a pattern."""
        asked = self._panel.ask_by_name()
        asked.preview_requested.connect(
            lambda pattern, facts: asked.show_preview(self._preview(pattern, facts))
        )
        asked.told_requested.connect(self._desk.tell_by_name)

    def _preview(self, pattern: str, facts: dict[str, Any]) -> Preview:
        if not pattern.strip():
            return Preview()
        try:
            found = self._desk.session.by_name(pattern, facts)
        except ValueError as error:
            return Preview(said=str(error))
        count = sum(1 for one in found if one.told)
        stay = sum(1 for one in found if one.stays)
        of = len(self._desk.session.slides)
        said = f"{len(found)} of {of} names fit."
        if stay:
            said += f" What you told before stays, on {stay} of them."
        return Preview(tuple(map(_line, found)), said, count)

    def state(self, step: str) -> FactsState:
        return facts_state(self._desk.session, self._desk.asked_name)


def _line(named: NamedSlide) -> str:
    """Return what a slide would be told, in one line."""
    if named.why:
        return f"{named.id}:  nothing – {named.why}"
    size = {"um_per_px": " µm/px"}
    told = [f"{value}{size.get(name, '')}" for name, value in named.told.items()]
    said = " · ".join(told) or "nothing new"
    stays = ", ".join(name.replace("um_per_px", "µm/px") for name in named.stays)
    return f"{named.id}:  {said}" + (f"  ({stays} stays)" if stays else "")


def facts_state(session: ReviewSession, asked: UnknownName | None = None) -> FactsState:
    """Return what the facts row shows; `asked` is a name that was typed and nobody knows."""
    slide, words = session.current, session.vocabulary
    if slide is None:
        return FactsState()
    organs = {Organ(term.label): term.label for term in words.organs}
    sources = {DataSource(term.label): term.label for term in words.sources}
    if slide.organ is not None:  # its word may have been taken back since
        organs.setdefault(slide.organ, slide.organ.value)
    if slide.source is not None:
        sources.setdefault(slide.source, slide.source.value)
    return FactsState(
        organs=tuple((label, organ) for organ, label in sorted(organs.items())),
        sources=tuple((label, source) for source, label in sources.items()),
        unknown=asked or next(iter(session.unknown_names), None),
        organ=slide.organ,
        source=slide.source,
        um_per_px=slide.um_per_px,
        origins=dict(slide.origins),
        **_seen(session),
        notes=tuple(slide.notes.values()),
        alike=len(session.alike()),
        pictures=tuple((one, *of) for one, of in shown_of(slide.notes.get("image", "")).items()),
        enabled=True,
    )


def _seen(session: ReviewSession) -> dict[str, Any]:
    """Return what the networks' heads see, and whether it contradicts what is known.

    A head that was never trained sees no organ clearly: then nothing is said.
    """
    found, slide = session.probability, session.current
    if found is None or slide is None or found.organ is None:
        return {}
    share = max(found.organ)
    if share < _CLEARLY:
        return {}
    organ = ORGANS[found.organ.index(share)]
    said = f"networks see {FACTS[organ].label} {100 * share:.0f} %"
    conflict = slide.organ is not None and organ is not slide.organ
    size = found.um_per_px
    if size is not None and size > 0:
        said += f", {size:.2f} µm/px"
        known = slide.um_per_px
        conflict = conflict or (known is not None and not 1 / _OFF < size / known < _OFF)
    return {"seen": said, "conflict": conflict}
