"""The facts line: organ, data source and pixel size of a slide, and a form to change them.

Responsible for showing three facts and passing on a person's word about them. Does not know where
they are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QLocale, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QVBoxLayout, QWidget
from superqt import QElidingLabel

from hubseg.organ import FACTS, ORGANS, SOURCES, DataSource, Organ
from napari_hubseg.widgets.by_name import ByNameDialog
from napari_hubseg.widgets.debounce import Debounce
from napari_hubseg.widgets.flyout import Flyout
from napari_hubseg.widgets.icons import IconButton
from napari_hubseg.widgets.new_name import NewName
from napari_hubseg.widgets.number_field import give_room, without_buttons
from napari_hubseg.widgets.part_chooser import PartChooser
from napari_hubseg.widgets.style import Hint, button, refill

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hubseg.slide import UnknownName

__all__ = ["FactsPanel", "FactsState"]

_ANOTHER = "another…"  # the last of a list: a name that is not in it


@dataclass(frozen=True)
class FactsState:
    """What is known of the slide on screen.

    Attributes
    ----------
    organ, source
        None when nobody has said.
    um_per_px
        Pixel size at full resolution, µm/px, or None.
    origins
        Where "organ", "source" and "um_per_px" come from.
    seen
        What the networks see of organ and pixel size, in words; "" when they do not say.
    conflict
        Whether that contradicts what is known. It is shown, and never used.
    notes
        What else a person should know of the slide's file, a sentence each: which of several
        images is shown, how its numbers are scaled, why its pixel size is not known.
    organs, sources
        Those that are known, with the names that a person reads.
    unknown
        A name that nobody knows, of the slide's table or just typed; None when there is none.
    alike
        How many other slides are of the kind that this one was: they can be told the same.
    pictures
        Where its file holds several: name, the one that is shown, how many.
    enabled
        False when no slide is open.
    """

    organ: Organ | None = None
    source: DataSource | None = None
    um_per_px: float | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    seen: str = ""
    conflict: bool = False
    notes: tuple[str, ...] = ()
    organs: tuple[tuple[str, Organ], ...] = tuple(
        (FACTS[organ].label, organ) for organ in sorted(ORGANS)
    )
    sources: tuple[tuple[str, DataSource], ...] = tuple((one.value, one) for one in SOURCES)
    unknown: UnknownName | None = None
    alike: int = 0
    pictures: tuple[tuple[str, int, int], ...] = ()
    enabled: bool = False


class _PixelSize(QDoubleSpinBox):
    """µm/px, typed with a point or a comma."""

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(QLocale.c())
        self.setObjectName("um_per_px")
        self.setToolTip("Pixel size at full resolution, µm/px: 0.01 to 20")
        self.setAccessibleName(self.toolTip())
        self.setDecimals(4)
        # Any number can be typed: one that no microscope has is answered, not swallowed.
        self.setRange(0.0, 99_999.0)
        self.setSingleStep(0.01)
        self.setSpecialValueText("µm/px?")
        self.setSuffix(" µm/px")
        give_room(self, "0.5000 µm/px", buttons=12)
        without_buttons(self)
        self.setKeyboardTracking(False)

    def validate(self, text: str | None, at: int) -> Any:
        """Qt's: a comma becomes a point while it is typed; what stood for no number gives way."""
        typed, unit = (text or "").replace(",", "."), self.suffix()
        if self.text() == self.specialValueText() and typed not in (self.text(), ""):
            number = "".join(char for char in typed if char in "0123456789.")
            typed, at = f"{number}{unit}", len(number)
        return super().validate(typed, at)

    def valueFromText(self, text: str | None) -> float:
        """Qt's: as :meth:`validate`."""
        return float(super().valueFromText((text or "").replace(",", ".")))


class FactsPanel(QWidget):
    """organ · source · µm/px in one line; its button opens the form they are changed in."""

    organ_requested = Signal(object)
    source_requested = Signal(object)
    um_per_px_requested = Signal(float)
    name_typed = Signal(str, str)
    name_answered = Signal(str, str, str)
    all_requested = Signal()
    names_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.line = QElidingLabel()
        self.line.setObjectName("facts_line")
        self.change = button(
            "change…", "Change organ, source and pixel size", name="change_facts", flat="true"
        )
        self.attention = IconButton("warning", "", "", name="facts_attention", flat="true")
        kept = self.attention.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # the line beside it stays where it is
        self.attention.setSizePolicy(kept)
        self.organ = _combo("organ", "Organ of this slide: chooses the threshold")
        self.source = _combo("source", "Where this slide comes from: chooses the threshold")
        self.um_per_px = _PixelSize()
        self.naming = NewName()
        self.origins = Hint(name="origins")
        self.seen = Hint(name="seen")
        self.seen.setToolTip("What the networks' own heads say; shown, and never used")
        self.notes = Hint(name="notes")
        self.part = PartChooser()
        self.all = button("", "", name="facts_for_all")
        self.names = button(
            "By file name…", "Tell all slides whose names fit a pattern", name="facts_by_name"
        )
        self.done = button("Done", "Close this form (Esc)", name="facts_done")
        self.form = Flyout(self, self._build_form())
        self._lay_out()
        self._connect()
        self.show_state(FactsState())

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.line, 1)
        row.addWidget(self.attention)
        row.addWidget(self.change)

    def _build_form(self) -> QWidget:
        form = QWidget()
        row = QHBoxLayout()
        row.addWidget(self.organ, 4)
        row.addWidget(self.source, 3)
        row.addWidget(self.um_per_px, 4)
        end = QHBoxLayout()
        end.addWidget(self.names)
        end.addStretch(1)
        end.addWidget(self.done)
        layout = QVBoxLayout(form)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(row)
        for widget in (self.naming, self.origins, self.seen, self.notes, self.part):
            layout.addWidget(widget)
        layout.addWidget(self.all)
        layout.addStretch(1)
        layout.addLayout(end)
        return form

    def ask_by_name(self) -> ByNameDialog:
        """Open the form for many slides at once, and return it."""
        organ = _combo("organ_by_name", "Organ of all that fit")
        source = _combo("source_by_name", "Source of all that fit")
        for combo, like in ((organ, self.organ), (source, self.source)):
            known = [(like.itemText(i), like.itemData(i)) for i in range(like.count())]
            refill(combo, [one for one in known if one[1] != _ANOTHER], None)
        size = _PixelSize()
        size.setKeyboardTracking(True)
        self.form.hide()
        asked = ByNameDialog(self, organ, source, size)
        asked.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        asked.open()
        return asked

    def _connect(self) -> None:
        self.organ.activated.connect(
            lambda index: self._choose("organ", self.organ, index, self.organ_requested.emit)
        )
        self.source.activated.connect(
            lambda index: self._choose("source", self.source, index, self.source_requested.emit)
        )
        self.naming.typed.connect(self.name_typed)
        self.naming.answered.connect(self.name_answered)
        self._rest = Debounce(self, self.um_per_px)
        self._rest.rested.connect(self.um_per_px_requested.emit)
        self.settle, self.drop = self._rest.settle, self._rest.drop
        self.um_per_px.valueChanged.connect(self._rest.keep)
        self.change.clicked.connect(self._toggle)
        self.attention.clicked.connect(self._toggle)
        self.done.clicked.connect(self.form.hide)
        self.all.clicked.connect(self.all_requested)
        self.names.clicked.connect(self.names_requested)

    def _choose(
        self, kind: str, combo: QComboBox, index: int, wish: Callable[[object], None]
    ) -> None:
        chosen = combo.itemData(index)
        if chosen != _ANOTHER:
            wish(chosen)
            return
        before = self._state.organ if kind == "organ" else self._state.source
        combo.setCurrentIndex(combo.findData(before))
        self.naming.take(kind)

    def _toggle(self) -> None:
        if not self.form.isVisible():
            self.all.setVisible(self._state.alike > 0)
        self.form.toggle()

    def press_elsewhere(self, at: QWidget) -> None:
        """Close the form when a person goes on elsewhere."""
        own = (self.change, self.attention)
        if self.form.isVisible() and at not in own and not self.form.holds(at):
            self.form.hide()

    def show_state(self, state: FactsState) -> None:
        """Show `state`; emits nothing."""
        self._state = state
        another = (_ANOTHER, _ANOTHER)
        refill(self.organ, (("organ?", None), *state.organs, another), state.organ)
        refill(self.source, (("source?", None), *state.sources, another), state.source)
        asked = state.unknown
        if asked is None:
            self.naming.ask("", "")
        else:
            self.naming.ask(asked.kind, asked.text, asked.meant, asked.sentence)
        shown = self._rest.waiting or self.um_per_px.value() == (state.um_per_px or 0.0)
        if not shown:  # or text being typed is lost
            with QSignalBlocker(self.um_per_px):
                self.um_per_px.setValue(state.um_per_px or 0.0)
        for widget in (self.organ, self.source, self.um_per_px, self.change):
            widget.setEnabled(state.enabled)
        self.line.setText(_line(state))
        self.origins.setText(_origin_sentence(state))
        self.origins.setVisible(state.enabled)
        self.seen.setText(f"⚠ {state.seen}: check it" if state.conflict else state.seen)
        self.seen.setVisible(bool(state.seen))
        self.notes.setText(" ".join(state.notes))
        self.notes.setVisible(bool(state.notes))
        self.part.show_pictures(state.pictures)
        self._show_attention(state)
        self.all.setText(f"Apply to all like this ({state.alike})")
        self.all.setToolTip(
            "Give these three facts to every slide of which as little was known as of this one"
        )
        self.all.setEnabled(state.alike > 0)
        if state.alike > 0 or not self.form.isVisible():  # or what is below would jump up
            self.all.setVisible(state.alike > 0)

    def _show_attention(self, state: FactsState) -> None:
        """Say beside the line that there is more to know than the line says."""
        said = [self.seen.text()] if state.conflict else []
        said += [state.unknown.sentence] if state.unknown else []
        said += state.notes
        self.attention.show_sign("warning" if state.conflict or _gap(state) else "note")
        self.attention.setToolTip("\n".join(said) or "Some of this is not known")
        self.attention.setVisible(bool(said) or _gap(state))


def _combo(name: str, tip: str) -> QComboBox:
    made = QComboBox()
    made.setObjectName(name)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.setToolTip(tip)
    made.setAccessibleName(tip)
    return made


def _gap(state: FactsState) -> bool:
    """Whether one of the three is not known."""
    return state.enabled and None in (state.organ, state.source, state.um_per_px)


def _line(state: FactsState) -> str:
    """Return the three facts in one line, each as it is or as the question it is."""
    if not state.enabled:
        return ""
    size = "µm/px?" if state.um_per_px is None else f"{state.um_per_px:g} µm/px"
    organ = next((label for label, one in state.organs if one is state.organ), "organ?")
    source = next((label for label, one in state.sources if one is state.source), "source?")
    return f"{organ}  ·  {source}  ·  {size}"


def _origin_sentence(state: FactsState) -> str:
    """Say where the three facts come from: those with one origin together."""
    names = {"organ": "organ", "source": "source", "um_per_px": "pixel size"}
    together: dict[str, list[str]] = {}
    for key, name in names.items():
        together.setdefault(state.origins.get(key, "unknown"), []).append(name)
    parts = []
    for origin, named in together.items():
        whose = {"person": "set by you", "unknown": "not known yet"}
        which = "all three" if len(named) == len(names) else ", ".join(named)
        parts.append(f"{which}: {whose.get(origin, f'from {origin}')}")
    said = " · ".join(parts)
    return f"{said[:1].upper()}{said[1:]}"
