"""What a person prefers, from one start of the dock to the next: device, disk, recipe, name.

Responsible for where that is kept: in napari's own preferences where it has a page for plugins
(from 0.9 on), in a file of ours and on a small page of ours before. The manifest declares the same
four. Does not know what is done with them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QSpinBox

from napari_hubseg.widgets.remembered import recall, remember
from napari_hubseg.widgets.style import Hint, style_sheet

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

__all__ = ["DEVICES", "Preferences", "PreferencesPage", "kept_by_napari", "preferences"]

_PLUGIN, _GROUP, _KEPT = "napari-hubseg", "review", "preferences"
DEVICES = ("auto", "cpu", "cuda:0")


@dataclass(frozen=True)
class Preferences:
    """What is preferred.

    Attributes
    ----------
    device
        Where networks run at first: one of :data:`DEVICES`.
    maps_gb
        Room for the probability maps of a new project, GB.
    recipe
        Name of a built-in recipe, or a recipe file, chosen at first.
    author
        Who is named in the journal; "" is the name of the account.
    """

    device: str = "auto"
    maps_gb: int = 50
    recipe: str = "demo"
    author: str = ""


def kept_by_napari() -> Any:
    """Return napari's settings of this plugin; None where it has no page for plugins."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return None
    try:
        return getattr(get_plugin_settings(_PLUGIN), _GROUP, None)
    except KeyError:  # the plugin is switched off, or was not found
        return None


def preferences() -> Preferences:
    """Return what is preferred; what cannot be read is as if nothing had been said."""
    found = kept_by_napari()
    names = [one.name for one in fields(Preferences)]
    if found is not None:
        said = {name: getattr(found, name) for name in names if hasattr(found, name)}
    else:
        kept = recall(_KEPT, {})
        said = {name: kept[name] for name in names if name in kept} if _fits(kept) else {}
    return Preferences(**said)


def _fits(kept: Any) -> bool:
    """Whether a file of ours holds what this version wrote."""
    plain = asdict(Preferences())
    return isinstance(kept, dict) and all(
        isinstance(value, type(plain[name])) for name, value in kept.items() if name in plain
    )


class PreferencesPage(QDialog):
    """The four, for a napari that has no page for plugins."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("preferences")
        self.setWindowTitle("HubSeg: preferences")
        self.setStyleSheet(style_sheet())
        known = preferences()
        self.device = QComboBox()
        self.device.addItems(DEVICES)
        self.device.setCurrentText(known.device)
        self.maps_gb = QSpinBox()
        self.maps_gb.setRange(1, 100_000)
        self.maps_gb.setValue(known.maps_gb)
        self.maps_gb.setSuffix(" GB")
        self.recipe = QLineEdit(known.recipe)
        self.author = QLineEdit(known.author)
        self.author.setPlaceholderText("the name of your account")
        form = QFormLayout(self)
        for words, field in (
            ("device", self.device),
            ("room for maps of a new project", self.maps_gb),
            ("recipe chosen at first", self.recipe),
            ("your name in the journal", self.author),
        ):
            field.setAccessibleName(words)
            form.addRow(words, field)
        form.addRow(Hint("They hold from the next time that the dock is opened."))
        answer = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(answer.Ok | answer.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form.addRow(buttons)

    def accept(self) -> None:
        """Keep them."""
        made = Preferences(
            self.device.currentText(),
            self.maps_gb.value(),
            self.recipe.text().strip() or Preferences.recipe,
            self.author.text().strip(),
        )
        remember(_KEPT, asdict(made))
        super().accept()
