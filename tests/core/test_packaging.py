"""What leaves as sdist and wheel is complete, and works where there is no checkout."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email import message_from_bytes
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

import hubseg

if TYPE_CHECKING:
    from email.message import Message

pytestmark = pytest.mark.slow

SOURCES = {"src/hubseg": "hubseg", "napari_hubseg": "napari_hubseg"}
FORBIDDEN_LICENCES = ("GNU General Public", "GNU Affero", "GPL-3", "GPL-2", "AGPL")


def _source_files(repository: Path) -> list[str]:
    """Files of the project, in a checkout or in an unpacked sdist."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        return [name for name in listed.stdout.split("\0") if (repository / name).is_file()]
    return [
        path.relative_to(repository).as_posix()
        for path in repository.rglob("*")
        if path.is_file() and not {".venv", "build", "dist"} & set(path.parts)
    ]


@pytest.fixture(scope="module")
def source(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy of the project as a fresh clone has it, so that nothing is built in the checkout."""
    clone = tmp_path_factory.mktemp("source")
    for name in _source_files(repository):
        target = clone / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / name, target, follow_symlinks=False)
    return clone


@pytest.fixture(scope="module")
def archives(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel made from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(archives: tuple[Path, Path]) -> dict[str, bytes]:
    """Content of every file in the wheel, by name."""
    with zipfile.ZipFile(archives[1]) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def told(wheel: dict[str, bytes]) -> Message:
    """The wheel's metadata."""
    name = next(name for name in wheel if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(wheel[name])


# ---- what is inside ---------------------------------------------------------------------------


def test_the_packages_listed_by_hand_are_the_packages_there_are(repository: Path) -> None:
    config = configparser.ConfigParser()
    config.read(repository / "setup.cfg", encoding="utf-8")
    listed = set(config["options"]["packages"].split())
    found = {"hubseg.sample_data"}
    for folder, package in SOURCES.items():
        for init in (repository / folder).rglob("__init__.py"):
            inside = init.parent.relative_to(repository / folder).parts
            found.add(".".join([package, *inside]))
    assert listed == found


def test_every_source_file_is_in_the_wheel(source: Path, wheel: dict[str, bytes]) -> None:
    expected = {
        f"{package}/{path.relative_to(source / folder).as_posix()}"
        for folder, package in SOURCES.items()
        for path in (source / folder).rglob("*")
        if path.is_file()
    }
    assert expected <= set(wheel)


def test_the_wheel_carries_the_whole_sample(source: Path, wheel: dict[str, bytes]) -> None:
    sample = {
        f"hubseg/sample_data/{path.relative_to(source / 'sample_data').as_posix()}"
        for path in (source / "sample_data").rglob("*")
        if path.is_file()
    }
    assert sample <= set(wheel)
    assert "hubseg/sample_data/train.csv" in wheel
    assert [name for name in sample if "/train_images/" in name and name.endswith(".tiff")]
    assert len([name for name in sample if "/weights/" in name]) >= 5


def test_the_wheel_carries_nothing_else(wheel: dict[str, bytes]) -> None:
    tops = {name.split("/")[0].partition("-")[0] for name in wheel}
    assert tops == {"hubseg", "napari_hubseg"}
    assert not [name for name in wheel if "__pycache__" in name or "/tests/" in name]


def test_the_wheel_is_small_enough_to_publish(archives: tuple[Path, Path]) -> None:
    for archive in archives:
        assert archive.stat().st_size < 60e6


def test_the_manifest_survives_as_a_file(
    source: Path, archives: tuple[Path, Path], wheel: dict[str, bytes]
) -> None:
    """In the sources the manifest at the root is a link to the one in the package."""
    manifest = (source / "napari_hubseg" / "napari.yaml").read_bytes()
    assert (source / "napari.yaml").read_bytes() == manifest
    assert wheel["napari_hubseg/napari.yaml"] == manifest
    with tarfile.open(archives[0]) as sdist:
        members = [member for member in sdist if member.name.endswith("/napari.yaml")]
        assert len(members) == 2
        for member in members:
            content = sdist.extractfile(member)
            assert content is not None
            assert content.read() == manifest


def test_typed_packages_say_so(wheel: dict[str, bytes]) -> None:
    assert {"hubseg/py.typed", "napari_hubseg/py.typed"} <= set(wheel)


# ---- what is promised -------------------------------------------------------------------------


def test_the_version_has_one_place(told: Message) -> None:
    assert told["Version"] == hubseg.__version__


def test_licence_and_notice_travel_along(told: Message, wheel: dict[str, bytes]) -> None:
    assert told["License-Expression"] == "BSD-3-Clause"
    assert {name.split("/")[-1] for name in wheel if "/licenses/" in name} == {"LICENSE", "NOTICE"}


def test_no_qt_binding_is_forced(told: Message) -> None:
    requirements = [Requirement(line) for line in told.get_all("Requires-Dist", [])]
    hard = {each.name.lower() for each in requirements if each.marker is None}
    assert not {"pyqt5", "pyqt6", "pyside2", "pyside6"} & hard
    assert not {"opencv-python", "opencv-contrib-python"} & hard
    assert {"pyqt5", "pyqt6", "pyside6", "test"} <= set(told.get_all("Provides-Extra", []))


def test_what_deptry_is_told_is_what_is_installed(told: Message, repository: Path) -> None:
    """``make lint`` compares every import with it: scikit-image was imported, and not required."""
    script = repository / "scripts" / "requirements"
    shown = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    listed = {Requirement(line).name.lower() for line in shown.stdout.splitlines()}
    hard = [Requirement(line) for line in told.get_all("Requires-Dist", [])]
    assert {each.name.lower() for each in hard if each.marker is None} <= listed
    assert "scikit-image" in listed


def test_no_copyleft_is_forced(told: Message) -> None:
    requirements = [Requirement(line) for line in told.get_all("Requires-Dist", [])]
    for name in [each.name for each in requirements if each.marker is None]:
        info = metadata.metadata(name)
        classifiers = [line for line in info.get_all("Classifier") or [] if "License" in line]
        said = " ".join([info.get("License-Expression") or "", *classifiers])
        assert not [word for word in FORBIDDEN_LICENCES if word in said], name


# ---- it works outside the checkout ------------------------------------------------------------


@pytest.fixture(scope="module")
def python(archives: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with our wheel; what it needs is borrowed from the one running this."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    interpreter = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(archives[1])], check=True)
    borrowed = sysconfig.get_path("purelib")
    purelib = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    Path(purelib, "borrowed.pth").write_text(borrowed + "\n", encoding="utf-8")
    return interpreter


def _run(python: Path, *command: str) -> str:
    """Run a command in an empty folder, without this run's coverage, paths and display."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "PYTEST", "PYTHON", "QT_"))
    }
    with_path = {**kept, "PATH": f"{python.parent}{os.pathsep}{kept['PATH']}"}
    empty = python.parent.parent.parent / "empty"
    empty.mkdir(exist_ok=True)
    done = subprocess.run(
        command,
        cwd=empty,
        env=with_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_installed_it_is_imported_from_the_wheel(python: Path) -> None:
    program = "import hubseg, napari_hubseg; print(hubseg.__file__); print(napari_hubseg.__file__)"
    for line in _run(python, str(python), "-c", program).splitlines():
        assert line.startswith(str(python.parent.parent))


def test_installed_it_finds_its_sample_and_its_recipes(python: Path) -> None:
    program = (
        "from importlib.resources import files\n"
        "sample = files('hubseg.sample_data')\n"
        "print(len(list((sample / 'train_images').iterdir())), (sample / 'train.csv').is_file(),\n"
        "      len(list((sample / 'weights').iterdir())),\n"
        "      (files('hubseg') / 'recipes' / 'hubmap-2022-2nd-place.yaml').is_file())\n"
    )
    images, table, weights, recipe = _run(python, str(python), "-c", program).split()
    assert int(images) >= 1
    assert int(weights) >= 5
    assert (table, recipe) == ("True", "True")


def test_installed_the_command_says_its_version(python: Path) -> None:
    assert hubseg.__version__ in _run(python, str(python.parent / "hubseg"), "--version")


def test_installed_napari_accepts_the_plugin(python: Path) -> None:
    answer = _run(python, str(python), "-m", "npe2", "validate", "napari_hubseg")
    assert "valid" in answer.lower()
