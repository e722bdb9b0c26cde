"""Pseudo-labels in tiles from the Export tab: what the command line writes, with a way to stop."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.utils._proxies import PublicOnlyProxy
from pyramids import accepted_regions
from qtpy.QtCore import Qt
from windows import Wait, settle

from hubseg.cli import main
from hubseg.formats import pseudo_labels
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.panels.export import ExportPanel
from napari_hubseg.presenters.progress import progress_state

SHAPE = (260, 330)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Regions of a slide of 0.5 µm/px with a stroke each, accepted; an image of unknown size."""
    random = np.random.default_rng(5)
    how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": "zlib"}
    how |= {"resolution": (20000, 20000), "resolutionunit": 3}
    folder = tmp_path / "slides"
    folder.mkdir()
    pixels = random.integers(0, 150, (*SHAPE, 3), np.uint8)
    pixels[..., 1] //= 2
    tifffile.imwrite(folder / "whole.tif", pixels, **how)
    tifffile.imwrite(folder / "plain.tif", pixels[:80, :90], photometric="rgb")
    return accepted_regions(tmp_path / "p.hubseg", folder, "whole", 170, 11)


def files(folder: Path) -> dict[str, bytes]:
    """Return every file of a set, but for what says when it was made."""
    found = {str(one.relative_to(folder)): one for one in folder.rglob("*") if one.is_file()}
    del found["provenance.json"]
    return {name: path.read_bytes() for name, path in found.items()}


def test_the_tab_writes_the_tiles_that_the_command_writes_and_stops_when_asked(
    make_napari_viewer: Any,
    new_engine: Any,
    project: Path,
    tmp_path: Path,
    qtbot: Any,
    wait: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer(show=True, strict_qt="raise")
    dock = HubSegWidget(PublicOnlyProxy(viewer), parts={"new_engine": new_engine})
    viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
    dock.open_path(project)
    settle(dock, wait)
    dock.pages.choose("export")
    panel = dock.export
    assert panel.tiles.isHidden()
    panel.format.setCurrentIndex(panel.format.findData("pseudo-labels"))
    panel.format.activated.emit(panel.format.currentIndex())
    assert panel.tiles.isVisible()
    assert not panel.tiles.size.isEnabled()
    panel.tiles.side.setValue(64)
    panel.tiles.size.setValue(1.0)

    begun, go, write = threading.Event(), threading.Event(), pseudo_labels._write_image

    def held(*given: Any) -> None:
        begun.set()
        go.wait()
        write(*given)

    monkeypatch.setattr(pseudo_labels, "_write_image", held)
    panel.set_target(tmp_path / "stopped")
    qtbot.mouseClick(panel.go, Qt.MouseButton.LeftButton)
    wait(begun.is_set)
    dock.refresh()
    assert progress_state(dock.desk).said.startswith("Exporting")
    assert dock.progress.cancel.isVisible()
    qtbot.mouseClick(dock.progress.cancel, Qt.MouseButton.LeftButton)
    go.set()
    settle(dock, wait)
    assert panel.outcome.text() == "The export was stopped: nothing was written."
    assert not list(tmp_path.glob("*stopped*"))
    assert not dock.session.project.exports()

    told: list[tuple[int, int]] = []
    dock.desk.exports.changed.connect(
        lambda: told.append((dock.desk.exports.done, dock.desk.exports.total))
    )
    panel.set_target(tmp_path / "window")
    qtbot.mouseClick(panel.go, Qt.MouseButton.LeftButton)
    assert panel.outcome.text() == "", "it is about the export before"
    settle(dock, wait)
    said = panel.outcome.text()
    regions = len(dock.session.slides) - 1
    assert said.startswith(f"{regions} slides written")
    assert "plain is unknown" in said
    assert "or give no pixel size for the tiles." in said
    assert "--" not in said
    assert {(done, regions + 1) for done in range(1, regions + 2)} <= set(told)

    words = ["--format", "pseudo-labels", "--tile", "64", "--um-per-px", "1", "--only-accepted"]
    dock.close()
    assert main(["export", str(project), "--out", str(tmp_path / "command"), *words]) == 3
    assert files(tmp_path / "window") == files(tmp_path / "command")
    facts = json.loads((tmp_path / "window" / "provenance.json").read_text())
    assert facts["tiles"] == {"side": 64, "um_per_px": 1.0}


def test_tiles_are_of_pseudo_labels_alone_and_stay_as_they_were_chosen(qtbot: Any) -> None:
    panel = ExportPanel()
    qtbot.addWidget(panel)

    def choose(format: str) -> None:
        panel.format.setCurrentIndex(panel.format.findData(format))
        panel.format.activated.emit(panel.format.currentIndex())

    choose("pseudo-labels")
    panel.tiles.size.setValue(0.5)
    assert (panel.choice().tile, panel.choice().um_per_px) == (None, None)
    panel.tiles.side.setValue(1024)
    assert (panel.choice().tile, panel.choice().um_per_px) == (1024, 0.5)
    choose("png")
    assert panel.tiles.isHidden()
    assert (panel.choice().tile, panel.choice().um_per_px) == (None, None)
    choose("pseudo-labels")
    assert (panel.choice().tile, panel.choice().um_per_px) == (1024, 0.5)
    panel.tiles.size.setValue(0)
    assert (panel.choice().tile, panel.choice().um_per_px) == (1024, None)
