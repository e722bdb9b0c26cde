"""A file with several pictures: another one is chosen in the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt

from hubseg.slide import read_slide
from hubseg.slide.series import shown_of
from napari_hubseg.widgets.part_chooser import PartChooser

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_hubseg.dock import HubSegWidget

    Wait = Callable[[Callable[[], bool]], None]

LEFT = Qt.MouseButton.LeftButton


def stack(path: Path) -> Path:
    """Write three planes of tissue, each of another shade."""
    planes = np.stack([np.full((40, 60, 3), 60 * (n + 1), np.uint8) for n in range(3)])
    tifffile.imwrite(path, planes, photometric="rgb", metadata={"axes": "ZYXS"})
    return path


def test_what_the_note_says_is_read_back(tmp_path: Path) -> None:
    path = stack(tmp_path / "plane 7 of 9.tif")
    for plane in (1, 2, 3):
        note = read_slide(f"{path}#plane={plane}").notes["image"]
        assert shown_of(note) == {"plane": (plane, 3)}


@pytest.mark.parametrize("note", ["", "Its numbers are scaled: 0 to 4095.", "image 2 of 3"])
def test_another_note_says_nothing(note: str) -> None:
    assert shown_of(note) == {}


def test_the_chooser_asks_for_what_is_not_shown(qtbot: Any) -> None:
    chooser = PartChooser()
    qtbot.addWidget(chooser)
    assert chooser.isHidden()
    chooser.show_pictures((("image", 2, 2), ("plane", 1, 5)))
    assert not chooser.show_it.isEnabled()
    chooser.fields["plane"].setValue(4)
    with qtbot.waitSignal(chooser.chosen) as asked:
        qtbot.mouseClick(chooser.show_it, LEFT)
    assert asked.args == ["image=2&plane=4"]


def test_another_plane_is_opened_beside_the_first(
    dock: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    dock.open_path(stack(tmp_path / "a.tif"))
    wait(lambda: not dock.busy and bool(dock.session.slides))
    dock.refresh()
    assert dock.facts.part.fields["plane"].maximum() == 3
    project = dock.session.project.path
    dock.facts.part.fields["plane"].setValue(2)
    dock.facts.part.show_it.click()
    wait(lambda: len(dock.session.slides) == 2 and not dock.busy)
    assert dock.session.current.id == "a#plane=2"
    assert dock.session.current.read().max() == 120
    assert dock.session.project.path == project
    dock.refresh()
    assert dock.facts.part.fields["plane"].value() == 2
