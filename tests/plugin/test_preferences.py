"""Preferences: napari's own page where it has one for plugins, a small one of ours before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialogButtonBox

from hubseg.probability.disk_budget import DEFAULT_LIMIT, DiskBudget
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.widgets import preferences as module
from napari_hubseg.widgets.preferences import DEVICES, Preferences, PreferencesPage, preferences
from napari_hubseg.widgets.remembered import remember

Wait = Callable[[Callable[[], bool]], None]

pytestmark = pytest.mark.own_window  # what is tested is how a dock begins

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def preferred() -> Preferences:
    """What somebody has said before the dock is opened."""
    wanted = Preferences("cpu", 7, "hubmap-2022-2nd-place", "ann")
    remember("preferences", asdict(wanted))
    return wanted


def test_the_manifest_declares_what_the_code_reads() -> None:
    path = Path(module.__file__).parents[1] / "napari.yaml"
    declared = getattr(PluginManifest.from_file(path).contributions, "configurations", None)
    if not declared:
        pytest.skip("this npe2 knows no configurations")
    properties = declared["review"].properties
    plain = asdict(Preferences())
    assert set(properties) == {one.name for one in fields(Preferences)}
    assert {name: one.default for name, one in properties.items()} == plain
    assert tuple(properties["device"].enum) == DEVICES


@pytest.mark.parametrize("kept", [[], {"device": 3}, {"maps_gb": "a lot"}, {"unheard": 1}])
def test_a_file_that_says_nothing_is_nothing(kept: Any) -> None:
    remember("preferences", kept)
    assert preferences() == Preferences()


def test_napari_is_asked_where_it_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Preferences("cpu", 9, "other", "bob")
    monkeypatch.setattr(module, "kept_by_napari", lambda: said)
    assert preferences() == said


def test_the_page_keeps_what_is_said_and_cancel_keeps_nothing(dock: HubSegWidget) -> None:
    for button, kept in (
        (QDialogButtonBox.StandardButton.Cancel, Preferences()),
        (QDialogButtonBox.StandardButton.Ok, Preferences("cpu", 12, "demo", "ann")),
    ):
        page = PreferencesPage(dock)
        page.device.setCurrentText("cpu")
        page.maps_gb.setValue(12)
        page.author.setText(" ann ")
        page.findChild(QDialogButtonBox).button(button).click()
        page.deleteLater()
        assert preferences() == kept


def test_the_page_of_keys_opens_ours_where_napari_has_none(dock: HubSegWidget, qtbot: Any) -> None:
    dock.do("show_keys")
    qtbot.mouseClick(dock.keys.prefer, LEFT)
    page = dock.keys.findChild(PreferencesPage)
    assert page.isVisible()
    page.reject()


def test_the_dock_begins_with_what_is_preferred(
    preferred: Preferences, opened: HubSegWidget, wait: Wait
) -> None:
    assert opened.ensemble.choice().device == "cpu"
    assert opened.desk.ensemble.name == "hubmap-2022-2nd-place"
    opened.session.set_note("seen")
    wait(lambda: not opened.busy)
    assert {row.author for row in opened.session.project.entries()} == {"ann"}


def test_a_new_project_gets_the_room_and_an_older_one_keeps_its_own(
    preferred: Preferences, opened: HubSegWidget, wait: Wait
) -> None:
    opened.desk.ensemble.choose("demo")
    opened.do("run_ensemble")
    wait(lambda: not opened.busy)
    room = DiskBudget(opened.session.project.maps)
    assert room.limit == 7 * 10**9
    room.suggest(3 * 10**9)
    assert room.limit == 7 * 10**9


def test_the_usual_room_is_written_nowhere(tmp_path: Path) -> None:
    DiskBudget(tmp_path / "maps").suggest(DEFAULT_LIMIT)
    assert not (tmp_path / "maps").exists()
