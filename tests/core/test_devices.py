"""Names of devices, and what is said of workers with other packages: no worker is started."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from hubseg.engine.devices import local_devices, worker_devices
from hubseg.engine.versions import PACKAGES, differences


@pytest.mark.parametrize(
    ("visible", "chosen", "wanted"),
    [
        ("", "auto", ("auto",)),
        ("0", "auto", ("auto",)),  # torch may see none: the worker decides
        ("0,3", "auto", ("cuda:0", "cuda:1")),  # one worker each
        ("0,3", "cpu", ("cpu",)),
        ("0,3", "cuda:1", ("cuda:1",)),
        ("0,3", "cuda:0, cuda:1", ("cuda:0", "cuda:1")),
    ],
)
def test_one_worker_for_each_device(
    monkeypatch: pytest.MonkeyPatch, visible: str, chosen: str, wanted: tuple[str, ...]
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert worker_devices(chosen) == wanted


def test_a_person_chooses_from_what_is_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    assert local_devices() == ("auto", "cpu", "cuda:0", "cuda:1")


@pytest.mark.parametrize("chosen", ["", "gpu", "cuda:x", "cuda:0,cuda:0", "cpu;cuda:0"])
def test_what_names_no_device_is_refused(chosen: str):
    with pytest.raises(ValueError, match="names no devices: use auto"):
        worker_devices(chosen)


OURS = dict.fromkeys(PACKAGES, "2.0")


def test_workers_like_us_are_not_mentioned():
    assert differences(OURS, {p: {"tcp://a:1": "2.0"} for p in PACKAGES}) == ()


def test_another_version_is_named_with_its_package_both_versions_and_its_worker():
    theirs = {package: {"tcp://a:1": "2.0", "tcp://b:1": "2.0"} for package in PACKAGES}
    theirs["torch"]["tcp://b:1"] = "1.9"
    (said,) = differences(OURS, theirs)
    assert all(part in said for part in ("tcp://b:1", "torch 1.9", "this computer 2.0"))
    assert "tcp://a:1" not in said


def test_a_package_that_is_absent_there_is_said():
    theirs = {package: {"tcp://a:1": "2.0"} for package in PACKAGES}
    theirs["timm"]["tcp://a:1"] = PackageNotFoundError("timm")
    (said,) = differences(OURS, theirs)
    assert "timm not at all" in said


def test_a_worker_without_this_package_is_refused():
    theirs = {package: {"tcp://a:1": "2.0"} for package in PACKAGES}
    theirs["napari-hubseg"]["tcp://a:1"] = PackageNotFoundError("napari-hubseg")
    with pytest.raises(ModuleNotFoundError, match=r"tcp://a:1 has no napari-hubseg: install"):
        differences(OURS, theirs)
