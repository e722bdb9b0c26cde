"""The cleanup panel: a form built from the fields of :class:`hubseg.cleanup.Cleanup`.

Responsible for asking for another cleanup when a field changes, and for a look at the mask as it is
after any step. Knows no field by name: a step added to the plan appears here, in its place, with
its own title, help and bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from magicgui.widgets import create_widget
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QWidget

from hubseg.cleanup import Cleanup
from napari_hubseg.widgets.debounce import Debounce
from napari_hubseg.widgets.style import Hint, button

if TYPE_CHECKING:
    from magicgui.widgets.bases import ValueWidget

__all__ = ["CleanupPanel", "CleanupState"]

_LARGEST = 1_000_000  # px


@dataclass(frozen=True)
class CleanupState:
    """What the cleanup panel shows.

    Attributes
    ----------
    cleanup
        The plan that holds.
    organ
        Whose it is, as text; "" when the slide's organ is not known.
    previewed_step
        The step that the mask on screen ends with; "" is the whole plan.
    enabled
        False when no project is open.
    """

    cleanup: Cleanup = field(default_factory=Cleanup)
    organ: str = ""
    previewed_step: str = ""
    enabled: bool = False


class CleanupPanel(QWidget):
    """One number per step of the plan, in their order, each with a look at what it leaves.

    Attributes
    ----------
    cleanup_requested
        Signal of the plan a person wants.
    look_requested
        Signal of the step after which the mask shall be shown; "" for the whole plan.
    """

    cleanup_requested = Signal(object)
    look_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, ValueWidget[Any]] = {}
        self.looks: dict[str, QPushButton] = {}
        self._state = CleanupState()
        form = QFormLayout(self)
        form.setContentsMargins(4, 0, 0, 0)
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for number, (name, info) in enumerate(Cleanup.model_fields.items(), start=1):
            native = self._field(name, info)
            if name not in Cleanup.STEPS:
                form.addRow(info.title or name, native)
                continue
            look = button(
                "look", f"Show the mask as it is after step {number}", name=f"look_{name}"
            )
            look.setCheckable(True)
            look.setProperty("tool", "true")
            look.clicked.connect(lambda on, name=name: self.look_requested.emit(name if on else ""))
            self.looks[name] = look
            row = QHBoxLayout()
            row.addWidget(native, 1)
            row.addWidget(look)
            form.addRow(f"{number}  {info.title or name}", row)
        self.hint = Hint(name="cleanup_hint")
        form.addRow(self.hint)
        self._rest = Debounce(self, *(field.native for field in self.fields.values()))
        self._rest.rested.connect(self.cleanup_requested)
        self.settle, self.drop = self._rest.settle, self._rest.drop
        self.show_state(self._state)

    def _field(self, name: str, info: Any) -> QWidget:
        number = info.annotation is float
        options: dict[str, Any] = {"tooltip": info.description}
        if number:
            bounds = {type(bound).__name__: bound for bound in info.metadata}
            most = float(bounds["Le"].le) if "Le" in bounds else _LARGEST
            options |= {"min": float(bounds["Ge"].ge), "max": most, "step": 1.0}
        widget = create_widget(
            value=info.get_default(), annotation=info.annotation, name=name, options=options
        )
        widget.changed.connect(self._ask)
        native: QWidget = widget.native
        native.setObjectName(name)
        if number:
            native.setKeyboardTracking(False)
            native.setDecimals(1)
        self.fields[name] = widget
        return native

    def show_state(self, state: CleanupState) -> None:
        """Show `state`; emits nothing."""
        self._state = state
        for name, widget in self.fields.items():
            shown = self._rest.waiting or widget.value == getattr(state.cleanup, name)
            if not shown:  # or text being typed is lost
                with widget.changed.blocked():
                    widget.value = getattr(state.cleanup, name)
        for name, look in self.looks.items():
            look.setChecked(name == state.previewed_step)
            look.setEnabled(bool(getattr(state.cleanup, name)))
        whose = f"every {state.organ} slide" if state.organ else "every slide without an organ"
        areas = "px" if state.cleanup.unit == "px" else "µm²"
        self.hint.setText(
            f"For {whose}, from 1 to {len(self.looks)}. Lengths in {state.cleanup.unit}, areas in "
            f"{areas}, 0 skips a step. What a tool did is never cleaned away."
        )
        self.setEnabled(state.enabled)

    def _ask(self) -> None:
        values = {name: widget.value for name, widget in self.fields.items()}
        self._rest.keep(self._state.cleanup.model_copy(update=values))
