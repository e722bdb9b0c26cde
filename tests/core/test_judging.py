"""A project's maps against truths, and the command that calibrates from them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from stored import recipe_of

from hubseg import tools
from hubseg.cli import main
from hubseg.evaluation.against_truth import judge, read_folds
from hubseg.formats.rle import encode
from hubseg.mask.metrics import dice
from hubseg.probability import MapStore, MemberMap
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_map
from hubseg.project.runs import record
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable
from hubseg.thresholds.calibration import ENOUGH
from hubseg.thresholds.presets import Preset

SHAPE = (48, 64)
IDS = tuple(f"s{i}" for i in range(ENOUGH + 1))
RECIPE = recipe_of("two", "a", "a_{fold}", 2, scale=0.5)


def member_maps(number: int) -> dict[int, np.ndarray]:
    """Two folds that see the same blob, of which fold 1 is the less certain."""
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    blob = np.clip(1.4 - np.hypot(y - 20 - number, x - 30) / 14, 0, 1).astype(np.float32)
    return {0: blob, 1: blob * np.float32(0.6)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Slides with maps of two folds, and a table of truths that a threshold of 100 draws."""
    (tmp_path / "train_images").mkdir()
    rows = []
    for number, name in enumerate(IDS):
        pixels = np.full((*SHAPE, 3), 20 + number, np.uint8)
        cv2.imwrite(str(tmp_path / "train_images" / f"{name}.png"), pixels)
        truth = member_maps(number)[0] * 255 > 100
        rows.append([name, "kidney", "Hubmap", *SHAPE, encode(truth)])
    with (tmp_path / "train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "organ", "data_source", "img_height", "img_width", "rle"])
        writer.writerows(rows)
    (tmp_path / "folds.csv").write_text(
        "id,fold\n" + "".join(f"{name},{i % 2}\n" for i, name in enumerate(IDS))
    )
    path = tmp_path / "p.hubseg"
    with ReviewProject.create(path, SlideTable.open(tmp_path / "train.csv")) as opened:
        for number, slide in enumerate(opened.slides()):
            keys = []
            for member in RECIPE.members():
                key = f"{number}{member.fold}abcdef"
                made = MemberMap(member_maps(number)[member.fold])
                MapStore(opened.maps).put(key, made)
                keys.append((member, key))
            digest = opened.digest(slide)
            record(opened, f"r{number}", slide.id, RECIPE, keys, slide_digest=digest)
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, object]:
    assert main([*arguments, "--json"]) == code
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return answer


def test_a_slide_of_a_fold_is_judged_by_that_folds_members_alone(project: Path) -> None:
    truth = dict(SlideTable.open(project.parent / "train.csv").truth)
    folds = read_folds(project.parent / "folds.csv")
    with ReviewProject.open(project) as opened:
        found = judge(opened, truth, folds=folds)
        mixed = judge(opened, truth)
        one = opened.slides()[1]
        own = newest_map(opened, one, folds=[1])
        assert newest_map(opened, one, folds=[7]) is None
    assert [j.fold for j in found.judged] == [0, 1, 0, 1, 0, 1]
    assert [j.fold for j in mixed.judged] == [None] * len(IDS)
    assert own is not None
    wanted = member_maps(1)[0] * 255 > 100
    assert found.judged[1].tally.dice()[60] == dice(own.values > 60, wanted)
    assert found.judged[0].tally.dice()[100] > 0.97  # fold 0 drew the truth
    assert not found.failed


def test_accepted_masks_are_truths_and_those_without_a_correction_are_counted(
    project: Path,
) -> None:
    session = ReviewSession(author="test")
    session.open(project)
    region = np.ones((3, 3), np.bool_)
    for number, name in enumerate(IDS[:3]):
        session.go_to(name)
        session.show(newest_map(session.project, session.current))
        if number == 0:
            session.paint(region, top=1, left=1, add=True)
        session.accept()
    session.close()
    with ReviewProject.open(project) as opened:
        found = judge(opened)
    assert [j.slide_id for j in found.judged] == list(IDS[:3])
    assert found.accepted_unedited == list(IDS[1:3])
    assert found.judged[1].tally.dice()[90] == 1.0  # the threshold it was accepted with


def test_what_cannot_be_judged_is_named(project: Path) -> None:
    truth = dict(SlideTable.open(project.parent / "train.csv").truth)
    truth["s2"] = "99999999 4"
    with ReviewProject.open(project) as opened:
        found = judge(opened, truth, folds={"s2": 0, "s3": 9})
    assert not found.judged
    assert "fold 9" in found.failed["s3"]
    assert set(found.failed) == {"s2", "s3"}


def test_calibrate_writes_a_preset_and_mask_takes_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, preset = project.parent, project.parent / "preset.yaml"
    base = ["calibrate", str(project), "--truth", str(folder / "train.csv")]
    answer = said(capsys, *base, "--folds", str(folder / "folds.csv"), "--out", str(preset))
    (found,) = answer["calibrated"]  # type: ignore[misc]
    assert found["slides"] == len(IDS)
    assert found["dice_held_out"] <= found["dice"]
    assert len(found["curve"]) == 256
    kept = Preset.load(preset)
    assert kept.recipe_digest == RECIPE.digest
    masks = said(capsys, "mask", str(project), "--preset", str(preset))["masks"]
    assert {row["threshold"] for row in masks} == {float(found["threshold"])}  # type: ignore[attr-defined]
    assert capsys.readouterr().err == ""


def test_a_preset_for_another_recipe_is_taken_with_a_warning(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = project.parent / "preset.yaml"
    preset.write_text("thresholds: {Hubmap: {kidney: 40, liver: 2}}\nrecipe_digest: abcdef0123\n")
    assert main(["mask", str(project), "--preset", str(preset)]) == 0
    told = capsys.readouterr().err
    assert "liver" in told
    assert "tuned for the maps of another recipe (abcdef01)" in told


def test_calibrate_applies_and_says_what_the_value_does_now(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["calibrate", str(project), "--truth", str(project.parent / "train.csv")]
    first = said(capsys, *base, "--apply")["calibrated"][0]  # type: ignore[index]
    again = said(capsys, *base, "--objective", "pooled")["calibrated"][0]  # type: ignore[index]
    assert again["now"] == first["threshold"] != first["now"]
    assert main(base) == 0
    assert "These maps are mixed from every fold" in capsys.readouterr().out


def test_too_few_accepted_masks_are_refused_with_the_number_that_is_missing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = ReviewSession(author="test")
    session.open(project)
    session.accept(as_empty=True)
    session.close()
    assert main(["calibrate", str(project)]) == 1
    told = capsys.readouterr().err
    assert f"threshold needs at least {ENOUGH}: draw or accept {ENOUGH - 1} more" in told


@pytest.mark.parametrize(
    ("content", "says"), [("name,fold\na,1\n", "no columns"), ("id,fold\na,x\n", "whole number")]
)
def test_a_table_that_holds_no_folds_is_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "folds.csv").write_text(content)
    with pytest.raises(ValueError, match=says):
        read_folds(tmp_path / "folds.csv")


# ---- a threshold for one object ----------------------------------------------------------------


def test_an_object_keeps_its_own_threshold_whatever_the_slides_becomes(project: Path) -> None:
    session = ReviewSession(author="test")
    session.open(project)
    with ReviewProject.open(project) as opened:
        found = newest_map(opened, opened.slides()[0], folds=[0])
    assert found is not None
    session.show(found)
    session.set_threshold(100)
    before = session.mask_now().copy()
    change = tools.local_threshold(before, found.values, 20, 30, 180)
    assert change is not None
    session.put(change)
    assert session.undo_text == "local threshold 180"
    session.set_threshold(60)
    assert np.array_equal(session.mask_now(), found.values > 180)
    session.close()
    again = ReviewSession(author="test")
    again.open(project)
    again.show(found)
    assert np.array_equal(again.mask_now(), found.values > 180)
    again.undo()
    again.undo()
    assert np.array_equal(again.mask_now(), before)
    again.close()


# ---- figures, and what is refused at the door ----------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_calibrate_draws_its_curve(
    project: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    pytest.importorskip("matplotlib")
    folder = project.parent / "drawn"
    base = ["calibrate", str(project), "--truth", str(project.parent / "train.csv")]
    answer = said(capsys, *base, "--figures", str(folder), "--figure-format", kind)
    assert answer["figures"] == [str(folder / f"kidney_Hubmap.{kind}")]
    start = (folder / f"kidney_Hubmap.{kind}").read_bytes()[:4]
    assert start in (b"\x89PNG", b"%PDF")


def rewrite(project: Path, slide_id: str, rle: str) -> str:
    """Give a slide another truth; return the table's path."""
    table = project.parent / "train.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "rle": rle} if row["id"] == slide_id else row for row in rows)
    return str(table)


def test_a_truth_that_runs_out_of_its_slide_is_named_and_the_rest_calibrated(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An RLE of a larger picture is the truth of another size that a table can hold."""
    larger = encode(np.ones((2 * SHAPE[0], SHAPE[1]), np.bool_))
    table = rewrite(project, "s2", larger)
    assert main(["calibrate", str(project), "--truth", table]) == 3
    told = capsys.readouterr()
    assert "s2" in told.err
    assert f"{SHAPE[0]}" in told.err
    assert f"{SHAPE[1]}" in told.err
    assert "kidney" in told.out


def test_truths_without_a_mark_choose_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in IDS:
        table = rewrite(project, name, "")
    assert main(["calibrate", str(project), "--truth", table]) == 1
    assert "Nothing could be calibrated" in capsys.readouterr().err


def test_a_map_that_is_no_number_is_refused_before_it_is_kept() -> None:
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            MemberMap(np.full(SHAPE, wrong, np.float32))


@pytest.mark.parametrize("value", ["-1", "256", "nan", "inf", "many"])
def test_a_threshold_outside_the_scale_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    assert main(["mask", str(project), "--threshold", f"kidney/Hubmap={value}"]) in (1, 2)
    assert value in capsys.readouterr().err
