"""The export panel: in which format, which slides, and where to.

Responsible for collecting a choice and asking for it. Does not know how a format is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

from hubseg.export import ROLES, Role
from napari_hubseg.actions import tip
from napari_hubseg.jobs.choices import IN_TILES, WRITTEN, ExportChoice
from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.style import Hint, button, make_primary, refill
from napari_hubseg.widgets.tile_fields import TileFields

__all__ = ["ExportPanel", "ExportState"]

_ROLES: dict[Role, str] = {
    "edits": "my edits",
    "labels": "my edits, each class by its name",
    "mask": "the mask to start from",
    "truth": "the truth to compare with",
}

_SAID = 4  # lines of what an export gave


@dataclass(frozen=True)
class ExportState:
    """What the export panel shows.

    Attributes
    ----------
    folder
        Where exports go unless a person says otherwise.
    ready, rejected, total
        Slides accepted or corrected, rejected, and all slides.
    busy
        Whether an export is being written.
    export_next
        Whether exporting is the step to take next.
    """

    folder: Path | None = None
    ready: int = 0
    total: int = 0
    busy: bool = False
    export_next: bool = False
    rejected: int = 0


class ExportPanel(QWidget):
    """Format, slides, target and one button."""

    export_requested = Signal(object)
    target_requested = Signal(str)
    import_requested = Signal()
    role_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._make_export()
        self._make_import()
        self._state = ExportState()
        self._own_target = False
        self._replaces = False  # whether a person was asked, and the next click means yes
        self._lay_out()
        self._listen()
        self.show_state(ExportState())

    def _make_export(self) -> None:
        self.format = QComboBox()
        self.format.setObjectName("export_format")
        self.format.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.format.setToolTip("What is written")
        titles = [(one.title, name) for name, one in WRITTEN.items()]
        refill(self.format, titles, "kaggle-rle")
        for place, one in enumerate(WRITTEN.values()):
            self.format.setItemData(place, one.sentence, Qt.ItemDataRole.ToolTipRole)
        self.slides = QComboBox()
        self.slides.setObjectName("export_slides")
        self.slides.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.slides.setToolTip("Which slides are written")
        self.target = QLineEdit()
        self.target.setObjectName("export_target")
        self.target.setToolTip("File or folder that is written")
        self.browse = button("…", "Choose where to write", name="export_browse")
        self.browse.setFixedWidth(34)
        self.go = button("Export", "Write the masks, read them back and compare", name="export")
        self.go.setToolTip(tip("export"))
        self.tiles = TileFields()
        self.partial = QCheckBox("incomplete maps too")
        self.partial.setObjectName("export_partial")
        self.partial.setToolTip(
            "Also write slides whose map lacks networks of its run: failed, stopped, or deleted "
            "since. What leaves says which"
        )
        self.outcome = Hint(name="export_outcome", lines=_SAID)
        room = self.outcome.sizePolicy()
        room.setRetainSizeWhenHidden(True)  # what is below it does not move
        self.outcome.setSizePolicy(room)
        self.outcome.hide()

    def _make_import(self) -> None:
        self.take = button("Import masks…", tip("import_mask"), name="import_mask")
        self.role = QComboBox()
        self.role.setObjectName("import_as")
        self.role.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.role.setToolTip("What an imported mask becomes, one dropped on the window too")
        refill(self.role, self.roles, "edits")
        for place, role in enumerate(_ROLES):
            self.role.setItemData(place, ROLES[role], Qt.ItemDataRole.ToolTipRole)

    def _listen(self) -> None:
        changes = (self.format.activated, self.slides.activated, self.target.textEdited)
        for changed in (*changes, self.partial.toggled, self.tiles.changed):
            changed.connect(self._ask_again)
        self.format.activated.connect(self._suggest)
        self.target.textEdited.connect(self._take_over)
        self.browse.clicked.connect(lambda: self.target_requested.emit(self.choice().format))
        self.take.clicked.connect(self.import_requested)
        self.role.currentIndexChanged.connect(lambda: self.role_chosen.emit(self.import_as()))
        self.go.clicked.connect(lambda: self.export_requested.emit(self.choice()))

    def _lay_out(self) -> None:
        where = QHBoxLayout()
        where.setSpacing(4)
        where.addWidget(self.target, 1)
        where.addWidget(self.browse)
        become = QHBoxLayout()
        become.setSpacing(6)
        become.addWidget(QLabel("as"))
        become.addWidget(self.role, 1)
        in_column(
            self,
            _title("Export"),
            self.format,
            self.slides,
            where,
            self.tiles,
            self.partial,
            self.go,
            self.outcome,
            _title("Import"),
            become,
            self.take,
            margins=(4, 0, 0, 0),
        )

    def choice(self) -> ExportChoice:
        """Return what is chosen now."""
        format = str(self.format.currentData())
        in_tiles = format == IN_TILES
        return ExportChoice(
            format=format,
            all_slides=self.slides.currentData() in {"all", "rejected"},
            out=Path(self.target.text()),
            rejected=self.slides.currentData() == "rejected",
            overwrite=self._replaces,
            partial=self.partial.isChecked(),
            tile=self.tiles.tile if in_tiles else None,
            um_per_px=self.tiles.um_per_px if in_tiles else None,
        )

    @property
    def roles(self) -> list[tuple[str, object]]:
        """What an imported mask may become, in words."""
        return [(title, role) for role, title in _ROLES.items()]

    def import_as(self) -> Role:
        """Return what an imported mask becomes."""
        return cast("Role", self.role.currentData())

    def set_target(self, path: Path) -> None:
        """Write to `path` from now on."""
        self._own_target = True
        self.target.setText(str(path))
        self._ask_again()

    def ask_to_replace(self, path: Path) -> None:
        """Ask whether what is there may be replaced: the same button, pressed again, says yes."""
        self.say(f"{path} exists already: press Replace, or write elsewhere.")
        self._replaces = True
        self._name_button()

    def say(self, sentence: str) -> None:
        """Show what an export gave."""
        self._ask_again()
        self.outcome.setText(sentence)
        self.outcome.setToolTip(sentence)
        self.outcome.setVisible(bool(sentence))

    def show_state(self, state: ExportState) -> None:
        """Show `state`; emits nothing."""
        if state.folder != self._state.folder:
            self._own_target = False
        self._state = state
        chosen = self.slides.currentData() or "ready"
        kept = state.total - state.rejected
        every = f"all but rejected ({kept})" if state.rejected else f"all slides ({state.total})"
        offered = {"ready": f"accepted and corrected ({state.ready})", "all": every}
        if state.rejected:
            offered["rejected"] = f"all, also rejected ({state.total})"
        items = [(text, data) for data, text in offered.items()]
        refill(self.slides, items, chosen if chosen in offered else "all")
        self._suggest()
        self._name_button()
        self.go.setEnabled(not state.busy and state.total > 0)
        for widget in (self.take, self.role):
            widget.setEnabled(state.total > 0)
        make_primary(self.go, state.export_next)

    def _ask_again(self) -> None:
        self._replaces = False
        self._name_button()

    def _name_button(self) -> None:
        name = "Replace" if self._replaces else "Export"
        self.go.setText("Exporting …" if self._state.busy else name)

    def _take_over(self) -> None:
        self._own_target = True

    def _suggest(self) -> None:
        self.tiles.setVisible(self.format.currentData() == IN_TILES)
        if self._own_target or self._state.folder is None:
            return
        with QSignalBlocker(self.target):
            self.target.setText(str(self._state.folder / WRITTEN[self.choice().format].name))


def _title(words: str) -> QLabel:
    title = QLabel(words)
    title.setProperty("strong", "true")
    return title
