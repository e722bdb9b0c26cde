"""What is installed here, what will not work, and the cure: one sentence each.

Responsible for looking at the machine: Python, packages, Qt, system libraries, display, torch,
the data folder and the bundled ensemble. Imports nothing of what it examines, torch least of all,
and changes nothing. Does not know how its findings are shown (:mod:`hubseg.cli`).
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from packaging.requirements import Requirement

from hubseg.process.logs import log_folder
from hubseg.recipe.bundled import weights_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Finding", "examine"]

DISTRIBUTION = "napari-hubseg"
BINDINGS = ("PyQt5", "PyQt6", "PySide6")

# Shared library -> the Debian package that has it.
OPENGL = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libOpenGL.so.0": "libopengl0",
}
WINDOWING = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}

_TORCH_PROBE = """
import json, torch
cuda = torch.cuda.is_available()
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else []
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "devices": names}))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name
        What was looked at, a word or two.
    ok
        False when something a person may want here will not work.
    said
        What was found, one sentence.
    cure
        What to do about it, one sentence; empty when there is nothing to do.
    """

    name: str
    ok: bool
    said: str
    cure: str = ""


def examine(*, torch_timeout: float = 120.0) -> list[Finding]:
    """Look at everything the window, the networks and the data need.

    Parameters
    ----------
    torch_timeout
        Seconds to wait for torch, which is asked in a process of its own.

    Returns
    -------
    list of Finding
        In the order in which a person would repair them.
    """
    findings = [_python(), _packages(), *_qt(), *_libraries(), _display()]
    findings += [_torch(torch_timeout), _cpu_engine(), _data_folder(), _logs()]
    return [*findings, _ensemble()]


def _python() -> Finding:
    return Finding("Python", True, f"Python {platform.python_version()} in {sys.prefix}.")


# ---- packages ---------------------------------------------------------------------------------


def _packages() -> Finding:
    try:
        required = metadata.requires(DISTRIBUTION) or []
        own = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        said = f"{DISTRIBUTION} is not installed as a package, so napari does not know the plugin."
        return Finding("packages", False, said, "Run pip install -e . in the source folder.")
    found: list[str] = []
    wrong: list[str] = []
    for requirement in _own_requirements(required):
        version = _version(requirement.name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name}{requirement.specifier}")
        found.append(f"{requirement.name} {version or 'missing'}")
    said = f"{DISTRIBUTION} {own} with {', '.join(found)}."
    if not wrong:
        return Finding("packages", True, said)
    return Finding("packages", False, said, f"Run pip install {' '.join(map(repr, wrong))}.")


def _own_requirements(lines: Iterable[str]) -> Iterator[Requirement]:
    """Yield what is needed without any extra."""
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


# ---- the window -------------------------------------------------------------------------------


def _qt() -> list[Finding]:
    installed = {name: version for name in BINDINGS if (version := _version(name)) is not None}
    clash = _opencv_clash(installed)
    return [_binding(installed, os.environ.get("QT_API", "")), *([clash] if clash else [])]


def _binding(installed: Mapping[str, str], wanted: str) -> Finding:
    if not installed:
        said = "No Qt binding is installed, so no window opens; the commands work without."
        return Finding("Qt", False, said, "Run pip install 'napari-hubseg[pyqt6]'.")
    listed = ", ".join(f"{name} {version}" for name, version in installed.items())
    if wanted and wanted.lower() not in {name.lower() for name in installed}:
        said = f"QT_API asks for {wanted}, but only {listed} is installed."
        cure = f"Set QT_API={next(iter(installed)).lower()} or unset it."
        return Finding("Qt", False, said, cure)
    return Finding("Qt", True, f"{listed}.")


def _opencv_clash(bindings: Mapping[str, str]) -> Finding | None:
    """Tell of an OpenCV that brings its own Qt plugins: beside PyQt5 it aborts the process."""
    names = [name for name in ("opencv-python", "opencv-contrib-python") if _version(name)]
    if not names or "PyQt5" not in bindings or not sys.platform.startswith("linux"):
        return None
    said = f"{names[0]} is installed beside PyQt5: the window may abort when it opens."
    cure = (
        f"Run pip uninstall -y {' '.join(names)}, then "
        "pip install --force-reinstall --no-deps opencv-python-headless."
    )
    return Finding("OpenCV", False, said, cure)


def _libraries() -> list[Finding]:
    if not sys.platform.startswith("linux"):
        return []
    groups = {"OpenGL": OPENGL, "window libraries": WINDOWING}
    return [_loaded(name, packages) for name, packages in groups.items()]


def _loaded(name: str, packages: Mapping[str, str]) -> Finding:
    missing = [library for library in packages if not _loads(library)]
    if not missing:
        return Finding(name, True, f"All {len(packages)} shared libraries load.")
    verb = "does" if len(missing) == 1 else "do"
    said = f"{', '.join(missing)} {verb} not load, so napari cannot open its window."
    names = " ".join(packages[library] for library in missing)
    cure = f"On Debian or Ubuntu run sudo apt-get install -y {names}."
    return Finding(name, False, said, cure)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _display() -> Finding:
    if not sys.platform.startswith("linux"):
        return Finding("display", True, "The desktop of this system is used.")
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if shown:
        return Finding("display", True, f"Windows open on display {shown}.")
    if shutil.which("Xvfb"):
        said = "No display: hubseg demo uses a virtual screen, hubseg review cannot open a window."
        return Finding("display", True, said, "Log in with a desktop, or set DISPLAY.")
    said = "No display and no virtual screen: no window can open here."
    cure = "Log in with a desktop, or on Debian run sudo apt-get install -y xvfb xdotool."
    return Finding("display", False, said, cure)


# ---- networks and data ------------------------------------------------------------------------


def _torch(timeout: float) -> Finding:
    """Ask torch in a process of its own: here it would take seconds and stay loaded."""
    if util.find_spec("torch") is None:
        said = "torch is not installed: saved maps can be reviewed, networks cannot run."
        return Finding("torch", False, said, "Run pip install torch timm.")
    command = [sys.executable, "-c", _TORCH_PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        said = f"torch did not answer within {timeout:g} s."
        return Finding("torch", False, said, "Run hubseg doctor again when the machine is idle.")
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        cure = "Run pip install --force-reinstall torch."
        return Finding("torch", False, f"torch cannot be imported: {reason}.", cure)
    return _torch_said(json.loads(done.stdout.splitlines()[-1]))


def _torch_said(answer: Mapping[str, object]) -> Finding:
    build = f"CUDA {answer['cuda']} build" if answer["cuda"] else "CPU build"
    torch = f"torch {answer['version']} ({build})"
    devices = answer["devices"]
    if isinstance(devices, list) and devices:
        return Finding("torch", True, f"{torch} on {', '.join(map(str, devices))}.")
    if not _has_nvidia_gpu():
        return Finding("torch", True, f"{torch}; no GPU: the CPU is used.")
    said = f"{torch} cannot use this machine's NVIDIA GPU: the CPU is used."
    if answer["cuda"]:
        cure = f"Update the NVIDIA driver to one that knows CUDA {answer['cuda']}."
    else:
        cure = "Install a CUDA build of torch, as its own site says for this system."
    return Finding("torch", False, said, cure)


def _cpu_engine() -> Finding:
    """Say whether networks have a second engine where there is no GPU, and what it would bring."""
    version = _version("openvino")
    if version is None:
        said = (
            "torch runs networks on a CPU; with OpenVINO (pip install 'napari-hubseg[openvino]') "
            "many take half to three quarters of the time, with the same maps."
        )
    else:
        said = f"OpenVINO {version} runs networks on a CPU where it is faster than torch."
    wanted = os.environ.get("HUBSEG_CPU_ENGINE") or "auto"
    if wanted in ("auto", "openvino", "torch"):
        said += "" if wanted == "auto" else f" HUBSEG_CPU_ENGINE asks for {wanted}."
        return Finding("CPU engine", True, said)
    said = f"HUBSEG_CPU_ENGINE is {wanted}, which is no engine: no network runs on a CPU."
    return Finding("CPU engine", False, said, "Set it to auto, torch or openvino, or unset it.")


def _has_nvidia_gpu() -> bool:
    """Tell whether the driver shows a GPU (Linux; elsewhere torch's word is taken)."""
    folder = Path("/proc/driver/nvidia/gpus")
    return folder.is_dir() and any(folder.iterdir())


def _data_folder() -> Finding:
    """Try to write where maps and settings are kept, or where that folder would be made."""
    folder = platformdirs.user_data_path("hubseg", appauthor=False)
    return _writable("data folder", folder, "XDG_DATA_HOME")


def _logs() -> Finding:
    """Say where the logs of libraries and workers are."""
    return _writable("logs", log_folder(), "XDG_STATE_HOME")


def _writable(name: str, folder: Path, variable: str) -> Finding:
    existing = next(place for place in (folder, *folder.parents) if place.is_dir())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        said = f"{existing} cannot be written ({error.strerror or error})."
        cure = f"Give yourself write access to it, or set {variable} to a folder of yours."
        return Finding(name, False, said, cure)
    return Finding(name, True, f"{folder} can be written.")


def _ensemble() -> Finding:
    cure = "Install again: pip install --force-reinstall --no-deps napari-hubseg."
    try:
        names = [path.name for path in weights_folder().iterdir() if path.is_file()]
    except FileNotFoundError:
        names = []
    checkpoints = [
        name for name in names if Path(name).suffix not in {".md", ".json", ".csv", ".yaml"}
    ]
    if not checkpoints:
        return Finding("bundled ensemble", False, "The bundled weights are not installed.", cure)
    return Finding("bundled ensemble", True, f"{len(checkpoints)} checkpoints are installed.")
