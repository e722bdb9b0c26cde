"""An organ nobody has heard of, from a plain folder without a table, in the window.

Run → tell → threshold → paint → accept → export → train.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import Qt
from stored import TINY
from windows import Wait, see, settle

from hubseg.formats.geojson import read_geojson
from hubseg.organ import Organ, Vocabulary
from hubseg.recipe import Recipe
from hubseg.slide import UnknownName
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.panels.facts import FactsPanel, FactsState

LEFT = Qt.MouseButton.LeftButton
SHAPE = (96, 128)
TRAINED = TINY + "training: {steps: 2, batch: 2, crop: 32, warm_up: 1}\n"


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Three tiles without a table."""
    folder = tmp_path / "tiles"
    folder.mkdir()
    rng = np.random.default_rng(7)
    for name in ("one", "two", "three"):
        pixels = rng.integers(0, 255, (*SHAPE, 3), dtype=np.uint8)
        tifffile.imwrite(folder / f"{name}.tiff", pixels, photometric="rgb")
    return folder


def say(dock: HubSegWidget, qtbot: Any, kind: str, name: str) -> None:
    """Choose "another…" in the list of organs or sources, and type a name."""
    combo = getattr(dock.facts, kind)
    combo.activated.emit(combo.count() - 1)
    qtbot.keyClicks(dock.facts.naming.line, name)
    qtbot.keyClick(dock.facts.naming.line, Qt.Key.Key_Return)


@pytest.mark.slow
def test_from_a_plain_folder_to_a_training(
    make_napari_viewer: Any, new_engine: Any, tiles: Path, tmp_path: Path, qtbot: Any, wait: Wait
) -> None:
    viewer = make_napari_viewer(show=True, strict_qt="raise")
    dock = HubSegWidget(PublicOnlyProxy(viewer), parts={"new_engine": new_engine})
    viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
    dock.open_path(tiles)
    wait(lambda: not dock.busy)
    dock.refresh()
    session, naming = dock.session, dock.facts.naming
    qtbot.mouseClick(dock.ensemble.run, LEFT)
    settle(dock, wait)

    qtbot.mouseClick(dock.facts.change, LEFT)
    say(dock, qtbot, "organ", "livers")
    settle(dock, wait)
    assert session.current.organ is None, "it is asked first"
    assert naming.question.text() == "The organ 'livers' is not known."
    assert naming.meant.isHidden() and naming.new.text() == "New organ: livers"
    say(dock, qtbot, "organ", "Liver")  # said otherwise
    settle(dock, wait)
    qtbot.mouseClick(naming.new, LEFT)
    say(dock, qtbot, "source", "TCGA")
    settle(dock, wait)
    qtbot.mouseClick(naming.new, LEFT)
    settle(dock, wait)
    assert (session.current.organ, session.current.source) == ("liver", "tcga")
    assert naming.new.isHidden()
    assert dock.facts.line.text() == "Liver  ·  TCGA  ·  µm/px?"
    assert dock.facts.organ.currentText() == "Liver"
    assert dock.thresholds.name.text() == "Liver / TCGA"
    qtbot.mouseClick(dock.facts.all, LEFT)
    qtbot.mouseClick(dock.facts.done, LEFT)
    settle(dock, wait)
    assert {slide.organ for slide in session.slides} == {Organ("liver")}

    assert session.threshold == 127
    dock.thresholds.main.slider.setValue(200)
    settle(dock, wait)
    assert session.thresholds.value(Organ("liver"), session.current.source) == 200
    mask = next(layer for layer in dock._viewer.layers if layer.name == "mask")
    qtbot.mouseClick(dock.correct.tools["brush"], LEFT)
    with mask.block_history():
        mask.paint((20, 20), 3)
    assert session.mask[20, 20]
    session.set_vocabulary(
        Vocabulary.from_mapping(
            {**session.vocabulary.to_mapping(), "structures": {"lobule": {"organs": ["liver"]}}}
        )
    )
    for _ in session.slides:
        see(dock, wait)
        here = session.current.id
        if session.probability is None:
            qtbot.mouseClick(dock.ensemble.run, LEFT)
            settle(dock, wait)
        see(dock, wait)
        session.accept()
        assert session.verdict(here).stands
        session.next_slide()
        settle(dock, wait)

    dock.pages.choose("export")
    dock.export.target.setText(str(tmp_path / "out"))
    kinds = dock.export.format
    kinds.setCurrentIndex(kinds.findData("geojson"))
    qtbot.mouseClick(dock.export.go, LEFT)
    settle(dock, wait)
    found = read_geojson(tmp_path / "out" / "one.geojson").objects
    assert {one.name for one in found} == {"lobule"}

    project = session.project.path
    assert session.close()
    (tmp_path / "recipe.yaml").write_text(TRAINED)
    asked = ["train", str(project), "--recipe", str(tmp_path / "recipe.yaml"), "--device", "cpu"]
    asked += ["--out", str(tmp_path / "run"), "--threads", "1"]
    subprocess.run([sys.executable, "-m", "hubseg.cli", *asked], check=True)  # as the dock does
    made = Recipe.load(tmp_path / "run" / "recipe.yaml")
    assert made.vocabulary.label(Organ("liver")) == "Liver"


def test_a_name_of_a_table_is_asked_about_and_one_click_settles_every_slide(
    dock: HubSegWidget, tiles: Path, qtbot: Any, wait: Wait
) -> None:
    rows = "one,lungs,HPA\ntwo,Lungs,HPA\nthree,kidney,HPA\n"
    (tiles / "train.csv").write_text(f"id,organ,data_source\n{rows}")
    dock.open_path(tiles)
    wait(lambda: not dock.busy)
    dock.refresh()
    naming = dock.facts.naming
    assert "lung?" in dock.facts.attention.toolTip()
    qtbot.mouseClick(dock.facts.change, LEFT)
    assert naming.question.text() == "The organ 'lungs' of 2 slides is not known: lung?"
    assert naming.meant.text() == "It is lung"
    qtbot.mouseClick(naming.meant, LEFT)
    settle(dock, wait)
    organs = {slide.id: slide.organ for slide in dock.session.slides}
    assert organs == {"one": Organ.LUNG, "two": Organ.LUNG, "three": Organ.KIDNEY}
    assert dock.thresholds.main.number.value() == 25
    dock.do("undo")
    settle(dock, wait)
    assert dock.session.slides[0].organ is None
    assert not naming.meant.isHidden()


def test_a_name_that_is_known_is_told_at_once(opened: HubSegWidget, qtbot: Any, wait: Wait) -> None:
    settle(opened, wait)
    say(opened, qtbot, "source", "human protein atlas")
    settle(opened, wait)
    assert opened.session.current.source.value == "HPA"
    assert opened.desk.asked_name is None


def test_another_name_is_typed_and_the_list_stays_at_what_holds(qtbot: Any) -> None:
    panel = FactsPanel()
    qtbot.addWidget(panel)
    panel.show_state(FactsState(organ=Organ.LUNG, enabled=True))
    asked: list[object] = []
    panel.organ_requested.connect(asked.append)
    panel.organ.activated.emit(panel.organ.count() - 1)
    assert panel.organ.currentText() == "lung" and asked == []
    assert panel.naming.line.placeholderText() == "name of the organ, then Enter"
    panel.naming.line.setText("   ")
    panel.naming.line.returnPressed.emit()
    with qtbot.waitSignal(panel.name_typed) as typed:
        panel.naming.line.setText(" skin  biopsy ")
        panel.naming.line.returnPressed.emit()
    assert typed.args == ["organ", "skin biopsy"]
    panel.show_state(FactsState(unknown=UnknownName("organ", "kidny", 3, "kidney"), enabled=True))
    with qtbot.waitSignal(panel.name_answered) as answered:
        panel.naming.new.click()
    assert answered.args == ["organ", "kidny", ""]
