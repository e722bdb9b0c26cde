"""Every command of the documentation does what it says there: on small slides, page by page."""

from __future__ import annotations

import configparser
import csv
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from stored import RECIPE, TINY, accept, blob, put_maps, write_slides

from hubseg.cli import main, parser
from hubseg.formats.rle import encode
from hubseg.network import build
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.recipe import Recipe
from hubseg.slide import SlideTable

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = sorted((REPOSITORY / "docs").glob("*.md"))
NAMES = ("10044", "10078", "a", "b", "c")
TRAINED = TINY + "training: {steps: 2, batch: 2, crop: 32, warm_up: 1}\n"

# What is only parsed, by how the command begins or by its section, and why
ONLY_PARSED = {
    "Run the published second-place recipe": "its 55 checkpoints are not distributed",
    "Train on several GPUs": "needs two GPUs",
    "Teach networks by corrections, and take what was taught elsewhere": (
        "its maps must be of networks that are there; test_teach_command runs it"
    ),
    "Take members elsewhere": "needs the extra onnx; test_onnx_export runs it where it is there",
    "hubseg review": "opens a window; tests/plugin does",
    "hubseg report P.hubseg --out report.html --figures": "draws for seconds; test_report does",
    "hubseg doctor": "judges this computer; test_doctor runs it",
}
# What is asked for in another size, so that it ends in seconds or fits five slides
SMALLER = {
    "--hold-out 15": "--hold-out 1",
    "--in-slides 90": "--in-slides 75",  # nine slides are needed for 90
    "--steps 500": "--steps 2",
    "--size 60000x60000": "--size 700x600",
    "demo --slide": "demo --slide --size 600x700",  # of two sizes the last one counts
    "#region=8192,4096,2048,2048": "#region=0,16,40,48",
    "--to 14:30": "--to 2999-01-01T00:00",
    "--window 42000,30000,10000,10000": "--window 0,0,20,20",
}
# What is no command of ours: what it needs is looked for
OTHERS = {"git": "a network", "make": "a target", "pip": "an extra", "pre-commit": "a network"}
ENDS = {  # exit status, where it is not 0
    "hubseg import P.hubseg QUPATH": 1,  # listed, and not done
    "hubseg minutes P.hubseg --out minutes.csv": 1,  # nobody has worked on these slides
    "hubseg import P.hubseg submission.csv": 1,
    "hubseg restore P.hubseg --to 2999-01-01T00:00": 1,
    "hubseg train TILES/manifest.csv --recipe R.yaml --out RUN": 1,  # nobody accepted a slide there
    "hubseg import P.hubseg Dataset500_HubSeg/labelsTr --yes": 3,  # one slide is accepted by then
}


@dataclass(frozen=True)
class Section:
    """The commands under one heading of a page."""

    page: str
    title: str
    lines: tuple[str, ...]


def _sections(path: Path) -> Iterator[Section]:
    title, lines, shell = path.stem, [], False
    for line in [*path.read_text("utf-8").splitlines(), "## end"]:
        if shell and line != "```":
            lines.append(line)
        elif line.startswith("```"):
            shell = line == "```sh"
        elif line.startswith("## "):
            if lines:
                yield Section(path.name, title, tuple(lines))
            title, lines = line[3:], []


SECTIONS = [
    section
    for path in (REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *DOCS)
    for section in _sections(path)
]


def _words(line: str) -> list[str]:
    return shlex.split(line.removesuffix("&"), comments=True)


def _is_only_parsed(section: Section, line: str) -> bool:
    plain = " ".join(_words(line))
    return section.title in ONLY_PARSED or any(plain.startswith(name) for name in ONLY_PARSED)


# ---- where they are run ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slides, a table, a project with maps, a recipe and its checkpoints, called as in the docs."""
    folder = tmp_path_factory.mktemp("docs")
    table = write_slides(folder, NAMES)
    for name in ("SLIDES", "FOLDER"):
        shutil.copytree(folder / "train_images", folder / name)
    for name, image in (("A/tile.png", "a"), ("B/other.png", "b")):
        (folder / name).parent.mkdir()
        shutil.copy(folder / "train_images" / f"{image}.png", folder / name)
    (folder / "A" / "tile.png").rename(folder / "A" / "tile.tiff")  # told by its content
    shutil.copy(table, folder / "more.csv")
    (folder / "R.yaml").write_text(TRAINED)
    (folder / "WEIGHTS").mkdir()
    recipe = Recipe.load(folder / "R.yaml")
    for member in recipe.members():
        torch.manual_seed(member.fold)
        state = build(member.network).state_dict()
        torch.save({"state_dict": state}, folder / "WEIGHTS" / f"{member.name}.pt")
    with (folder / "WEIGHTS" / "folds.csv").open("w", newline="") as file:
        rows = [(name, number % 2, number, "") for number, name in enumerate(NAMES)]
        csv.writer(file).writerows([("id", "fold", "group", "overlaps"), *rows])
    shutil.copy(folder / "WEIGHTS" / "m_0.pt", folder / "one.safetensors")  # told by its content
    with ReviewProject.create(folder / "P.hubseg", SlideTable.open(table)) as project:
        for name in NAMES:
            put_maps(project, name, RECIPE.folds)
    return folder


@pytest.fixture
def place(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(template, tmp_path / "docs")
    monkeypatch.chdir(tmp_path / "docs")
    return tmp_path / "docs"


def _two_copies(place: Path) -> None:
    shutil.move(place / "P.hubseg", place / "MINE.hubseg")
    shutil.copytree(place / "MINE.hubseg", place / "THEIRS.hubseg")
    accept(place / "THEIRS.hubseg", ["10044", "10078"])


def _cellpose(place: Path) -> None:
    """Masks as Cellpose calls them."""
    assert main(["export", "P.hubseg", "--format", "png", "--out", "CELLPOSE"]) == 0
    for path in (place / "CELLPOSE").glob("*.png"):
        path.rename(path.with_name(f"{path.stem}_cp_masks.png"))


def _coming(place: Path) -> None:
    """What other programs left: their masks go in first on that page, and out after."""
    for name, out in (("geojson", "QUPATH"), ("cvat", "annotations.xml")):
        assert main(["export", "P.hubseg", "--format", name, "--out", out]) == 0
    assert main(["mask", "P.hubseg", "--threshold", "kidney/Hubmap=250"]) == 0


def _damaged(place: Path) -> None:
    accept(place / "P.hubseg", ["a"])  # closed: there is a backup now
    (place / "P.hubseg" / "review.sqlite").write_bytes(b"")


def _classes(place: Path) -> None:
    """A recipe of two structures, and what is known of them: as a table, and as images."""
    named = TRAINED.replace('"m_{fold}"}', '"m_{fold}", classes: [glomerulus, tubule]}')
    words = "vocabulary: {structures: {tubule: {organs: [kidney]}}}\n"
    (place / "three.yaml").write_text(named + words)
    (place / "NUMBERS").mkdir()
    lines = [("ImageId_ClassId", "EncodedPixels")]
    for number, name in enumerate(NAMES):
        labels = (blob(number) * 255 > 100).astype(np.uint8)
        labels[:8, :8] = 2
        Image.fromarray(labels).save(place / "NUMBERS" / f"{name}.png")
        lines += [(f"{name}.png_{kind}", encode(labels == kind)) for kind in (1, 2)]
    with (place / "classes.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)


PREPARED: dict[str, Callable[[Path], object]] = {
    "The loop": lambda place: accept(place / "P.hubseg", NAMES),
    "Train folds on accepted masks": lambda place: accept(place / "P.hubseg", NAMES),
    "Train networks of several structures": _classes,
    "Go on from networks you have": lambda place: accept(place / "P.hubseg", NAMES),
    "Work in two": _two_copies,
    "Run a part of a very large slide": lambda place: shutil.copy(
        place / "train_images" / "a.png", place / "scan.tiff"
    ),
    "Go on after damage": _damaged,
    "QuPath": _coming,
    "CVAT": _coming,
    "Cellpose": _cellpose,
}


# ---- the commands ------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS, ids=lambda one: f"{one.page}: {one.title}")
def test_every_command_is_understood(section: Section) -> None:
    targets = re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", "utf-8")
    for line in filter(None, section.lines):
        program, *rest = _words(line)
        if program == "hubseg":
            parser().parse_args(rest)
        elif program == "make":
            assert set(rest) <= set(targets)
        elif program == "pip":
            extras = re.findall(r"\[([\w,]+)\]", " ".join(rest))
            assert {e for one in extras for e in one.split(",")} <= {
                *setup["options.extras_require"]
            }
        else:
            assert program in (*OTHERS, "for", "wait", "cp"), line


def _run(line: str, scheduler: Callable[[], str]) -> None:
    """Run one line; a command that needs a worker is given one that is there already."""
    plain = " ".join(_words(line))
    if not plain.startswith("hubseg "):
        subprocess.run(["bash", "-euc", line], check=True)
        return
    for said, smaller in SMALLER.items():
        plain = plain.replace(said, smaller)
    words = plain.split()[1:]
    if words[0] == "predict":
        words += ["--scheduler", scheduler(), *(() if "--recipe" in words else ("--folds", "0"))]
    if words[0] == "train":
        words += ["--device", "cpu"]
    if "--only-accepted" in words:
        accept(Path(words[1]), ["a"])
    assert main(words) == ENDS.get(plain, 0), line


@pytest.mark.parametrize(
    "section",
    [one for one in SECTIONS if any(not _is_only_parsed(one, line) for line in one.lines)],
    ids=lambda one: f"{one.page}: {one.title}",
)
def test_every_command_does_what_it_says(
    section: Section,
    place: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And a command that is said to be the next one is understood."""
    lines = [line for line in section.lines if line and not _is_only_parsed(section, line)]
    lines = [line for line in lines if _words(line)[0] not in OTHERS]
    PREPARED.get(section.title, lambda _: None)(place)
    for line in lines:
        _run(line, lambda: str(request.getfixturevalue("scheduler")))
    for following in re.findall(r"^Run it: hubseg (.+)$", capsys.readouterr().out, re.MULTILINE):
        parser().parse_args(shlex.split(following))


def test_what_is_only_parsed_is_there() -> None:
    """The list of exceptions holds nothing that stands on no page any more."""
    titles = {section.title for section in SECTIONS}
    plain = [" ".join(_words(line)) for one in SECTIONS for line in one.lines]
    for name in ONLY_PARSED:
        assert name in titles or any(line.startswith(name) for line in plain), name


def test_every_option_that_is_named_in_a_sentence_exists() -> None:
    commands = next(one.choices for one in parser()._actions if isinstance(one.choices, dict))
    for path in (REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *DOCS):
        for name, rest in re.findall(r"`hubseg ([a-z]+)\b([^`]*)`", path.read_text("utf-8")):
            known = commands[name]._option_string_actions
            named = re.findall(r"--[a-z][a-z-]*", rest) if name != "bench" else []
            assert not [one for one in named if one not in known], f"{path.name}: {name}{rest}"


def test_masks_of_cellpose_come_in_as_they_are(place: Path) -> None:
    """Of a file with another name than the slide's nothing comes in."""
    with ReviewProject.open(place / "P.hubseg") as project:
        before = {slide.id: derive(project, slide).mask for slide in project.slides()}
    _cellpose(place)
    assert main(["import", "P.hubseg", "CELLPOSE", "--yes"]) == 1
    assert main(["mask", "P.hubseg", "--threshold", "kidney/Hubmap=250"]) == 0
    section = next(one for one in SECTIONS if one.title == "Cellpose")
    for line in filter(None, section.lines[:2]):
        _run(line, str)
    with ReviewProject.open(place / "P.hubseg") as project:
        for slide in project.slides():
            assert (derive(project, slide).mask == before[slide.id]).all()


def test_the_example_in_python_runs(place: Path) -> None:
    text = (REPOSITORY / "docs" / "api.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    exec(compile(code, "api.md", "exec"), {})
    assert sorted(path.stem for path in (place / "MASKS").glob("*.png")) == sorted(NAMES)
