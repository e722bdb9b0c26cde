"""What a command leaves out is listed, on stderr and as JSON, and its exit code says so."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from stored import HEAD, RECIPE, TINY, accept, put_maps, stored_project

from hubseg.cli import main
from hubseg.cli._said import Answer
from hubseg.engine import Update
from hubseg.inference import input_size
from hubseg.journal.verdict import Verdict
from hubseg.network import build
from hubseg.outcome import Outcome
from hubseg.project import ReviewProject
from hubseg.recipe import Recipe, Resolution
from hubseg.session import ReviewSession
from hubseg.slide import Slide
from hubseg.training.fit import Progress
from hubseg.training.label import Label

SLIDES = tuple("abcdefg")
TRAINS = TINY + "training: {steps: 1, batch: 2, crop: 32, warm_up: 1, workers: 0}"

Harm = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, its images, a project with maps and accepted slides, a recipe."""
    folder = tmp_path_factory.mktemp("whole")
    project = stored_project(folder, SLIDES)
    accept(project, SLIDES)
    (folder / "recipe.yaml").write_text(TRAINS)
    for member in Recipe.load(folder / "recipe.yaml").members():
        torch.manual_seed(member.fold)
        torch.save({"state_dict": build(member.network).state_dict()}, folder / member.checkpoint)
    return folder


def trained_at_once(labels: Sequence[Label], *_: object, **__: object) -> Iterator[Progress]:
    """Stand in for a training: what it is given is what is looked at here."""
    yield Progress("m", 1, 1, 1, 1, math.nan)


@pytest.fixture(autouse=True)
def _trains_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubseg.training.fit.train", trained_at_once)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to be harmed."""
    shutil.copytree(whole, tmp_path / "f")
    return tmp_path / "f"


def gone(folder: Path) -> None:
    (folder / "train_images" / "b.png").unlink()


def damaged(folder: Path) -> None:
    image = folder / "train_images" / "b.png"
    image.write_bytes(image.read_bytes()[:40])


def damaged_row(folder: Path) -> None:
    with sqlite3.connect(folder / "p.hubseg" / "review.sqlite") as db:
        db.execute("DROP TRIGGER journal_stays")
        db.execute("UPDATE journal SET payload=? WHERE slide_id='b'", (b'{"after": "praised"}',))
    db.close()


def bad_row(folder: Path) -> None:
    """A mask in the table that does not fit its image."""
    table = folder / "train.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[1]["rle"] = "99999 9"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, HEAD)
        writer.writeheader()
        writer.writerows(rows)


def member_missing(folder: Path) -> None:
    """A later run that did not finish, on a slide whose verdict was taken back."""
    session = ReviewSession(author="test")
    session.open(folder / "p.hubseg")
    session.go_to("b")
    session.set_verdict(Verdict.UNSEEN)
    session.close()
    with ReviewProject.open(folder / "p.hubseg") as project:
        put_maps(project, "b", (0, 2), run="later")


def wild_pixel_size(folder: Path) -> None:
    """A pixel size that no microscope has, where the recipe needs one."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("scale: 0.5", "um_per_px: 0.8"))
    table = folder / "train.csv"
    head, *rows = table.read_text().splitlines()
    rows[1] = rows[1].replace(",0.4,", ",500,")
    table.write_text("\n".join([head, *rows]) + "\n")


class FailsOnce:
    """An engine whose second member cannot be computed on slide b; maps come from nowhere."""

    def __init__(self, store: Path, **_: object) -> None:
        self.store = store

    def run(self, slides: Sequence[Slide], recipe: Recipe, *_: object, **__: object) -> FailsOnce:
        self.id, self.recipe, self.computed, self.tiles_computed = "later", recipe, 0, 0
        self.slides, self.members = tuple(slides), recipe.members()
        self.total = len(self.slides) * len(self.members)
        return self

    def __iter__(self) -> Iterator[Update]:
        for slide in self.slides:
            made = [m for m in self.members if not (slide.id == "b" and m.fold == 1)]
            yield Update(
                run_id=self.id,
                slide_id=slide.id,
                slide_digest=slide.digest,
                recipe=self.recipe,
                done=len(made),
                total=len(self.members),
                message="",
                finished=True,
                keys=tuple((member, f"{slide.id}{member.fold}") for member in made),
                asked=self.members,
                error="" if len(made) == len(self.members) else "b: the disk is full.",
            )

    def unload(self) -> None:
        pass


FAST = ("--device", "cpu", "--folds", "0")
COMMANDS = {
    "mask": ["mask", "PROJECT"],
    "export": ["export", "PROJECT", "--format", "png", "--out", "OUT"],
    "report": ["report", "PROJECT", "--out", "OUT.html"],
    "evaluate": ["evaluate", "PROJECT", "--truth", "TABLE"],
    "calibrate": ["calibrate", "PROJECT", "--truth", "TABLE"],
    "train": ["train", "PROJECT", "--recipe", "RECIPE", "--out", "OUT", *FAST],
    "predict": [
        *("predict", "TABLE", "--recipe", "RECIPE", "--weights", "FOLDER", "--project", "NEW"),
        *("--scheduler", "SCHEDULER"),
    ],
    "train table": ["train", "TABLE", "--recipe", "RECIPE", "--out", "OUT", *FAST],
}
IN_TABLES = {"evaluate", "calibrate"}
READS_A_TABLE = {"train table", "predict"}
CASES = [
    *((command, gone) for command in COMMANDS),
    *((command, damaged) for command in COMMANDS),
    *((command, damaged_row) for command in ("mask", "export", "report", "train")),
    *((command, bad_row) for command in ("evaluate", "calibrate", "train table")),
    ("predict", wild_pixel_size),
    *((name, member_missing) for name in COMMANDS if name not in {"train", *READS_A_TABLE}),
]


def run(
    folder: Path, command: str, capsys: pytest.CaptureFixture[str], scheduler: str = ""
) -> tuple[int, dict[str, object], str]:
    places = {
        "SCHEDULER": scheduler,
        "PROJECT": folder / "p.hubseg",
        "TABLE": folder / "train.csv",
        "RECIPE": folder / "recipe.yaml",
        "OUT": folder / "out",
        "OUT.html": folder / "out.html",
        "FOLDER": folder,
        "NEW": folder / "new.hubseg",
    }
    code = main([*(str(places.get(word, word)) for word in COMMANDS[command]), "--json"])
    told = capsys.readouterr()
    answer = json.loads(told.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return code, answer, told.err


@pytest.mark.parametrize(("command", "harm"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_a_slide_that_cannot_be_taken_is_listed_and_the_others_are_done(
    folder: Path,
    scheduler: str,
    command: str,
    harm: Harm,
    capsys: pytest.CaptureFixture[str],
) -> None:
    harm(folder)
    code, answer, said = run(folder, command, capsys, scheduler)
    assert code == 3, said
    assert list(answer["left_out"]) == ["b"]
    listed = [line for line in said.splitlines() if f"hubseg {command.split()[0]}: b: " in line]
    assert len(listed) == 1, said
    assert "Traceback" not in said
    assert "error" not in answer


def test_a_member_that_fails_on_one_slide_is_listed_and_the_others_are_done(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubseg.engine.Engine", FailsOnce)
    code, answer, said = run(folder, "predict", capsys)
    assert code == 3, said
    assert (list(answer["left_out"]), answer["slides"]) == (["b"], len(SLIDES) - 1)
    assert "hubseg predict: b: " in said
    assert "the disk is full" in said


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in READS_A_TABLE])
def test_when_every_file_is_gone_that_is_what_is_said(
    folder: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(folder / "train_images")
    code, answer, said = run(folder, command, capsys)
    assert code == 1
    assert list(answer["left_out"]) == list(SLIDES)
    assert "is not at" in said
    assert "no slide was chosen" not in said


def test_a_partial_map_is_taken_when_it_is_asked_for_and_then_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member_missing(folder)
    project = str(folder / "p.hubseg")
    assert main(["mask", project, "--partial", "--json"]) == 0
    masks = json.loads(capsys.readouterr().out)["masks"]
    assert [one["members"] for one in masks] == [[5, 5], [2, 5], *[[5, 5]] * 5]
    out = ["--out", str(folder / "out"), "--format", "png"]
    assert main(["export", project, *out, "--partial", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["notes"] == {"b": "Its map is mixed of 2 of 5 members."}
    assert "2 of 5 members" in told.err


def test_a_broken_link_in_a_folder_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "train_images" / "z.png").symlink_to(folder / "nowhere.png")
    code = main(
        [
            *["train", str(folder / "train_images"), "--recipe", str(folder / "recipe.yaml")],
            *["--out", str(folder / "out"), *FAST, "--json"],
        ]
    )
    assert code == 3
    assert list(json.loads(capsys.readouterr().out)["left_out"]) == ["z"]


@pytest.mark.parametrize("command", sorted(READS_A_TABLE))
def test_what_a_table_notes_reaches_the_shell(
    folder: Path, scheduler: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "train.csv").read_text().replace("kidney", "gills", 1)
    (folder / "train.csv").write_text(text + text.splitlines()[2] + "\n")
    _, answer, said = run(folder, command, capsys, scheduler)
    assert set(answer["notes"]) == {"organ gills", "b"}  # a name that is not known is said once
    assert "'gills' of 1 slide is not known" in answer["notes"]["organ gills"]
    assert "twice" in answer["notes"]["b"]
    assert f"hubseg {command.split()[0]}: note: organ gills: " in said


@pytest.mark.parametrize("command", sorted(IN_TABLES))
def test_a_truth_needs_no_images_beside_it(
    folder: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "alone" / "train.csv"
    alone.parent.mkdir()
    shutil.copy(folder / "train.csv", alone)
    assert main([command, str(folder / "p.hubseg"), "--truth", str(alone), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == {}


def test_a_truth_of_another_size_is_noted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / "train.csv").read_text().replace("48,64", "64,48", 1)
    (folder / "train.csv").write_text(text)
    assert main(["evaluate", str(folder / "p.hubseg"), "--truth", str(folder / "train.csv")]) == 0
    assert "hubseg evaluate: note: a: The table says 64 x 48 px" in capsys.readouterr().err


def test_a_failure_is_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mask", str(tmp_path / "absent.hubseg"), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert "absent.hubseg" in answer["error"]
    with pytest.raises(SystemExit) as ended:
        main(["mask", "--json"])
    assert ended.value.code == 2
    assert "required" in json.loads(capsys.readouterr().out)["error"]


def test_json_holds_no_number_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    answer = Answer("mask", as_json=True)
    answer.say({"masks": [{"area": math.nan, "of": (math.inf, 1.5)}], "\udce9": "é"}, [])
    assert answer.end() == 0
    said = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert said["masks"] == [{"area": None, "of": [None, 1.5]}]


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("x"), ZeroDivisionError(), OSError()])
def test_a_slide_fails_alone_whatever_is_raised(error: Exception) -> None:
    outcome = Outcome()
    with outcome.attempt("a"):
        raise error
    with outcome.attempt("b"):
        pass
    assert (list(outcome.left_out), outcome.done, outcome.code) == (["a"], ["b"], 3)
    assert outcome.left_out["a"]


@pytest.mark.parametrize("um_per_px", [500.0, 0.001, math.inf, math.nan, -1.0, 20.0])
def test_a_pixel_size_that_no_slide_has_is_refused_before_anything_is_enlarged(
    um_per_px: float,
) -> None:
    resolution = Resolution(um_per_px=0.1, members=RECIPE.resolutions[0].members)
    with pytest.raises(ValueError, match="pixel size"):
        input_size(resolution, 3000, 3000, um_per_px)


def test_a_person_who_stops_a_command_is_not_a_slides_failure() -> None:
    with pytest.raises(KeyboardInterrupt), Outcome().attempt("a"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("done", "left_out", "code"),
    [(["a"], {}, 0), ([], {}, 0), (["a"], {"b": "why"}, 3), ([], {"b": "why"}, 1)],
)
def test_the_exit_code_follows_from_the_outcome(
    done: list[str], left_out: dict[str, str], code: int
) -> None:
    assert Outcome(done, left_out).code == code
