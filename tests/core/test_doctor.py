"""The doctor names what is missing and the cure, and touches nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from hubseg.cli import doctor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Versions of the packages that this test pretends are installed."""
    versions: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    return versions


def test_every_finding_is_one_sentence_and_every_fault_has_a_cure() -> None:
    findings = doctor.examine()
    assert len({finding.name for finding in findings}) == len(findings)
    for finding in findings:
        assert finding.said.endswith(".")
        assert "\n" not in finding.said + finding.cure
        assert finding.ok or finding.cure.endswith(".")


def test_looking_at_torch_does_not_import_it() -> None:
    program = (
        "import sys; from hubseg.cli.doctor import examine; found = examine();"
        "print('torch' in sys.modules, [f.said for f in found if f.name == 'torch'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("False ['torch ")


def test_missing_libraries_are_named_with_the_packages_that_have_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(doctor, "_loads", lambda library: library != "libGL.so.1")
    opengl, windowing = doctor._libraries()
    assert (opengl.name, opengl.ok, windowing.ok) == ("OpenGL", False, True)
    assert "libGL.so.1 does not load" in opengl.said
    assert opengl.cure == "On Debian or Ubuntu run sudo apt-get install -y libgl1."


def test_a_library_that_does_not_exist_does_not_load() -> None:
    assert not doctor._loads("libhubseg-is-no-such-library.so.9")


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_bring_their_own_libraries_and_desktop(
    monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert doctor._libraries() == []
    assert doctor._display().ok


def test_the_makefile_installs_every_package_the_doctor_names(repository: Path) -> None:
    script = repository / "scripts" / "system-libraries"
    done = subprocess.run(
        [script, "--list", "window", "screen"], capture_output=True, text=True, check=True
    )
    named = {*doctor.OPENGL.values(), *doctor.WINDOWING.values(), "xvfb", "xdotool"}
    assert named <= set(done.stdout.split())


@pytest.mark.parametrize(
    ("bindings", "wanted", "ok", "said"),
    [
        ({"PyQt5": "5.15.11"}, "", True, "PyQt5 5.15.11."),
        ({"PyQt5": "5.15.11", "PyQt6": "6.8"}, "pyqt6", True, "PyQt5 5.15.11, PyQt6 6.8."),
        ({"PyQt6": "6.8"}, "pyqt5", False, "QT_API asks for pyqt5, but only PyQt6 6.8 is"),
        ({}, "", False, "No Qt binding is installed"),
    ],
)
def test_the_qt_binding(bindings: Mapping[str, str], wanted: str, ok: bool, said: str) -> None:
    finding = doctor._binding(bindings, wanted)
    assert finding.ok is ok
    assert finding.said.startswith(said)


@pytest.mark.parametrize(
    ("version", "wanted", "ok", "said"),
    [
        (None, None, True, "pip install 'napari-hubseg[openvino]'"),
        ("2026.4.1", None, True, "OpenVINO 2026.4.1 runs networks on a CPU where it is faster"),
        ("2026.4.1", "torch", True, "HUBSEG_CPU_ENGINE asks for torch."),
        ("2026.4.1", "tensorrt", False, "HUBSEG_CPU_ENGINE is tensorrt, which is no engine"),
    ],
)
def test_the_second_engine_of_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
    installed: dict[str, str],
    version: str | None,
    wanted: str | None,
    ok: bool,
    said: str,
) -> None:
    monkeypatch.delenv("HUBSEG_CPU_ENGINE", raising=False)
    if wanted is not None:
        monkeypatch.setenv("HUBSEG_CPU_ENGINE", wanted)
    installed.update({} if version is None else {"openvino": version})
    finding = doctor._cpu_engine()
    assert finding.ok is ok
    assert said in finding.said


@pytest.mark.parametrize(
    ("names", "clashes"),
    [
        (["PyQt5", "opencv-python"], True),
        (["PyQt5", "opencv-contrib-python", "opencv-python-headless"], True),
        (["PyQt5", "opencv-python-headless"], False),
        (["PyQt6", "opencv-python"], False),
    ],
)
def test_opencv_with_its_own_qt_beside_pyqt5_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], names: list[str], clashes: bool
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    installed.update(dict.fromkeys(names, "5.0"))
    finding = next((each for each in doctor._qt() if each.name == "OpenCV"), None)
    assert (finding is not None) is clashes
    if finding is not None:
        assert "pip uninstall -y opencv-" in finding.cure
        assert "headless" not in finding.cure.split(",")[0]


@pytest.mark.parametrize(
    ("shown", "xvfb", "ok", "said"),
    [
        (":0", None, True, "Windows open on display :0."),
        ("", "/usr/bin/Xvfb", True, "No display: hubseg demo uses a virtual screen"),
        ("", None, False, "No display and no virtual screen"),
    ],
)
def test_the_display(
    monkeypatch: pytest.MonkeyPatch, shown: str, xvfb: str | None, ok: bool, said: str
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", shown)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: xvfb)
    finding = doctor._display()
    assert finding.ok is ok
    assert finding.said.startswith(said)


class TestPackages:
    REQUIRED = ("numpy>=2.0", "torch>=2.6", 'PyQt5; extra == "pyqt5"')

    @pytest.fixture(autouse=True)
    def required(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metadata, "requires", lambda name: list(self.REQUIRED))

    def test_are_listed_with_their_versions(self, installed: dict[str, str]) -> None:
        installed.update({"napari-hubseg": "0.1.0", "numpy": "2.4.6", "torch": "2.6.0"})
        finding = doctor._packages()
        assert finding.ok
        assert finding.said == "napari-hubseg 0.1.0 with numpy 2.4.6, torch 2.6.0."

    def test_missing_or_too_old_are_named_for_pip(self, installed: dict[str, str]) -> None:
        installed.update({"napari-hubseg": "0.1.0", "numpy": "1.26"})
        finding = doctor._packages()
        assert not finding.ok
        assert "torch missing" in finding.said
        assert finding.cure == "Run pip install 'numpy>=2.0' 'torch>=2.6'."

    def test_a_bare_source_folder_is_told_to_be_installed(self, installed: dict[str, str]) -> None:
        assert not installed
        assert "not installed as a package" in doctor._packages().said


class TestTorch:
    @pytest.mark.parametrize(
        ("answer", "gpu", "ok", "said"),
        [
            ((None, []), False, True, "(CPU build); no GPU: the CPU is used."),
            (("13.2", []), False, True, "(CUDA 13.2 build); no GPU: the CPU is used."),
            (("13.2", ["A", "B"]), True, True, "(CUDA 13.2 build) on A, B."),
            (("13.2", []), True, False, "cannot use this machine's NVIDIA GPU: the CPU is used."),
            ((None, []), True, False, "cannot use this machine's NVIDIA GPU: the CPU is used."),
        ],
    )
    def test_says_which_device_is_used(
        self,
        monkeypatch: pytest.MonkeyPatch,
        answer: tuple[str | None, list[str]],
        gpu: bool,
        ok: bool,
        said: str,
    ) -> None:
        monkeypatch.setattr(doctor, "_has_nvidia_gpu", lambda: gpu)
        cuda, devices = answer
        finding = doctor._torch_said({"version": "2.6", "cuda": cuda, "devices": devices})
        assert finding.ok is ok
        assert finding.said.endswith(said)
        assert bool(finding.cure) is not ok

    def test_missing_is_a_fault_of_networks_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor.util, "find_spec", lambda name: None)
        assert "saved maps can be reviewed" in doctor._torch(1).said

    def test_broken_gives_its_last_word(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "_TORCH_PROBE", "raise ImportError('libcudart is missing')")
        finding = doctor._torch(60)
        assert not finding.ok
        assert "libcudart is missing" in finding.said

    def test_too_slow_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "_TORCH_PROBE", "import time; time.sleep(60)")
        assert "did not answer within 0.2 s" in doctor._torch(0.2).said


class TestDataFolder:
    def test_is_looked_at_without_being_made(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        folder = tmp_path / "not" / "yet"
        monkeypatch.setattr(doctor.platformdirs, "user_data_path", lambda *a, **k: folder)
        finding = doctor._data_folder()
        assert finding.ok
        assert str(folder) in finding.said
        assert list(tmp_path.iterdir()) == []

    def test_that_cannot_be_written_is_a_fault(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def refuse(**_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(doctor.platformdirs, "user_data_path", lambda *a, **k: tmp_path)
        monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
        finding = doctor._data_folder()
        assert not finding.ok
        assert finding.said == f"{tmp_path} cannot be written (Permission denied)."


class TestBundledEnsemble:
    @pytest.fixture(autouse=True)
    def weights(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        monkeypatch.setattr(doctor, "weights_folder", lambda: tmp_path / "weights")
        return tmp_path / "weights"

    def test_counts_its_checkpoints(self, weights: Path) -> None:
        weights.mkdir()
        for name in ("demo_0_best.safetensors", "demo_1_best.safetensors", "MODEL_CARD.md"):
            (weights / name).touch()
        assert doctor._ensemble().said == "2 checkpoints are installed."

    def test_missing_is_a_fault(self) -> None:
        assert not doctor._ensemble().ok
