"""The cleanup panel: a form built from the fields of :class:`hubseg.cleanup.Cleanup`.

Responsible for asking for another cleanup when a field changes. Knows no field by name: a field
added to the plan appears here with its own title, help and bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from magicgui.widgets import create_widget
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from hubseg.cleanup import Cleanup
from napari_hubseg._look import Hint

if TYPE_CHECKING:
    from magicgui.widgets.bases import ValueWidget

__all__ = ["CleanupPanel", "CleanupState"]

_LARGEST = 1_000_000  # px


@dataclass(frozen=True)
class CleanupState:
    """What the cleanup panel shows."""

    cleanup: Cleanup = field(default_factory=Cleanup)
    enabled: bool = False


class CleanupPanel(QWidget):
    """One number per field of the cleanup plan."""

    cleanup_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, ValueWidget[Any]] = {}
        self._state = CleanupState()
        form = QFormLayout(self)
        form.setContentsMargins(4, 0, 0, 0)
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name, info in Cleanup.model_fields.items():
            widget = create_widget(
                value=info.get_default(),
                annotation=info.annotation,
                name=name,
                options={"tooltip": info.description, "max": _LARGEST},
            )
            widget.changed.connect(self._ask)
            native = widget.native
            native.setObjectName(name)
            native.setKeyboardTracking(False)
            form.addRow(info.title or name, native)
            self.fields[name] = widget
        form.addRow(Hint("Sizes in px. What the brush did is never cleaned away."))
        self.show_state(self._state)

    def show_state(self, state: CleanupState) -> None:
        """Show `state`; emits nothing."""
        self._state = state
        for name, widget in self.fields.items():
            if widget.value != getattr(state.cleanup, name):  # or text being typed is lost
                with widget.changed.blocked():
                    widget.value = getattr(state.cleanup, name)
        self.setEnabled(state.enabled)

    def _ask(self) -> None:
        values = {name: widget.value for name, widget in self.fields.items()}
        self.cleanup_requested.emit(self._state.cleanup.model_copy(update=values))
