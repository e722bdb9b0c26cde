"""The command line as other programs use it: names, output and exit codes."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from stored import TINY

from hubseg.cli import main
from hubseg.cli.keeping import size
from hubseg.export import FORMATS, export_project
from hubseg.formats.finding import images_in
from hubseg.formats.pseudo_labels import read_pseudo_labels
from hubseg.formats.rle import decode, encode
from hubseg.network import build
from hubseg.probability import Mixture
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_map
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession
from hubseg.slide import read_slide

RECIPE = TINY + (
    "thresholds: {Hubmap: {kidney: 120}}\ntraining: {steps: 2, batch: 2, crop: 32, warm_up: 1}\n"
)
SHAPE = (96, 128)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two slides with truth, a recipe with weights, and a project that predict filled."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "train_images").mkdir()
    (folder / "recipe.yaml").write_text(RECIPE)
    recipe = Recipe.load(folder / "recipe.yaml")
    for fold in recipe.folds:
        torch.manual_seed(fold)
        state = build(recipe.members()[0].network).state_dict()
        torch.save({"state_dict": state}, folder / f"m_{fold}")
    random = np.random.default_rng(0)
    with (folder / "train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "organ", "data_source", "img_height", "img_width", "rle"])
        for name in ("a", "b"):
            pixels = random.integers(0, 255, (*SHAPE, 3), np.uint8)
            cv2.imwrite(str(folder / "train_images" / f"{name}.png"), pixels)
            truth = encode(random.random(SHAPE) > 0.5)
            writer.writerow([name, "kidney", "Hubmap", *SHAPE, truth])
    assert main(predict(folder, "--device", "cpu")) == 0
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return answer


def predict(made: Path, *more: str) -> list[str]:
    base = ["predict", str(made / "train.csv"), "--recipe", str(made / "recipe.yaml")]
    return [*base, "--weights", str(made), "--project", str(made / "p.hubseg"), *more]


def test_how_networks_run_is_said_to_the_engine(made: Path, monkeypatch: pytest.MonkeyPatch):
    asked: dict[str, object] = {}

    def engine(_: Path, **options: object) -> None:
        asked.update(options)
        raise ValueError("That is enough.")

    monkeypatch.setattr("hubseg.engine.Engine", engine)
    assert main(predict(made, "--cpu-engine", "openvino", "--precision", "float32")) == 1
    assert (asked["cpu_engine"], asked["precision"], asked["compiled"]) == (
        *("openvino", "float32", False),
    )
    assert main(predict(made)) == 1
    assert asked["cpu_engine"] == "auto"


def test_predicting_again_computes_nothing(
    made: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
):
    answer = said(capsys, *predict(made, "--scheduler", scheduler))
    assert (answer["slides"], answer["computed"], answer["left_out"]) == (2, 0, {})


def test_an_ome_zarr_has_the_map_and_the_mask_of_the_same_pixels_in_a_png(
    made: Path, scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    zarr = pytest.importorskip("zarr")
    pixels = cv2.imread(str(made / "train_images" / "a.png"))[..., ::-1]
    group = zarr.open_group(tmp_path / "z.ome.zarr", mode="w")
    group.create_array("0", shape=(3, *SHAPE), dtype="u1")[:] = pixels.transpose(2, 0, 1)
    axes = [{"name": name, "type": "space"} for name in "cyx"]
    group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    arguments = predict(made, "--scheduler", scheduler, "--organ", "kidney")
    arguments[1] = str(tmp_path / "z.ome.zarr")
    arguments[arguments.index("--project") + 1] = str(tmp_path / "z.hubseg")
    assert said(capsys, *arguments, "--source", "Hubmap")["computed"] == 2
    with ReviewProject.open(tmp_path / "z.hubseg") as project:
        slide = project.slides()[0]
        found, mask = newest_map(project, slide), derive(project, slide).mask
    with ReviewProject.open(made / "p.hubseg") as project:
        slide = next(slide for slide in project.slides() if slide.id == "a")
        assert np.array_equal(found.values, newest_map(project, slide).values)
        assert np.array_equal(mask, derive(project, slide).mask)


def test_the_recipes_thresholds_hold_until_a_person_sets_one(
    made: Path, scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = predict(made, "--scheduler", scheduler)
    arguments[arguments.index("--project") + 1] = str(tmp_path / "own.hubseg")
    assert main(arguments) == 0
    capsys.readouterr()
    answer = said(capsys, "mask", str(tmp_path / "own.hubseg"))
    assert {mask["threshold"] for mask in answer["masks"]} == {120.0}


def test_of_two_files_of_one_name_the_new_one_is_run(
    made: Path, scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Also in another size, and when a file was written over: its map is that of its content."""
    arguments = predict(made, "--scheduler", scheduler)
    arguments[arguments.index("--project") + 1] = str(tmp_path / "own.hubseg")
    for folder, shape in (("C", SHAPE), ("D", SHAPE), ("E", (64, 64)), ("E", (32, 64))):
        (tmp_path / folder).mkdir(exist_ok=True)
        pixels = np.random.default_rng(len(folder)).integers(0, 255, (*shape, 3), np.uint8)
        cv2.imwrite(str(tmp_path / folder / "tile.png"), pixels + ord(folder))
        arguments[1] = str(tmp_path / folder)
        told = said(capsys, *arguments)
        assert (told["slides"], told["left_out"]) == (1, {})
        assert told["computed"] == 2
    assert told["ids"] == {"tile": "E_tile"}
    with ReviewProject.open(tmp_path / "own.hubseg") as project:
        sizes = {slide.id: newest_map(project, slide).values.shape for slide in project.slides()}
    assert sizes == {"tile": SHAPE, "D_tile": SHAPE, "E_tile": (32, 64)}


def test_a_missing_image_is_listed_and_the_rest_is_done(
    made: Path, scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    table = tmp_path / "train.csv"
    table.write_text((made / "train.csv").read_text() + "c,kidney,Hubmap,9,9,\n")
    arguments = predict(made, "--scheduler", scheduler)
    arguments[1] = str(table)
    assert main([*arguments, "--images", str(made / "train_images")]) == 3
    told = capsys.readouterr()
    assert "2 slides predicted" in told.out
    assert "hubseg predict: c:" in told.err


def test_mask_changes_a_threshold_and_says_what_came_out(
    made: Path, capsys: pytest.CaptureFixture[str]
):
    project = str(made / "p.hubseg")
    low = said(capsys, "mask", project, "--threshold", "kidney/Hubmap=0")
    high = said(capsys, "mask", project, "--threshold", "kidney/Hubmap=255")
    assert [m["area"] for m in low["masks"]] == [1.0, 1.0]
    assert [m["area"] for m in high["masks"]] == [0.0, 0.0]
    said(capsys, "mask", project, "--threshold", "kidney/Hubmap=120")


def test_maps_shows_and_sets_the_limit_and_a_lost_map_is_not_exported_as_if_it_were_there(
    made: Path, capsys: pytest.CaptureFixture[str]
):
    project = made / "limited.hubseg"  # beside the images it names
    shutil.copytree(made / "p.hubseg", project)
    whole = said(capsys, "maps", str(project))
    assert (whole["maps"], whole["limit"], whole["removed"]) == (4, 50 * 10**9, 0)
    left = said(capsys, "maps", str(project), "--limit", f"{whole['bytes'] - 1}B")
    assert (left["maps"], left["removed"]) == (3, 1)
    assert left["limit"] == whole["bytes"] - 1
    with ReviewProject.open(project) as reader:
        refused = []
        for slide in reader.slides():
            try:
                derive(reader, slide)
            except ValueError as error:
                refused.append(str(error))
    assert len(refused) == 1
    assert "1 of 2 member maps" in refused[0]
    with pytest.raises(SystemExit) as ended:
        main(["maps", str(project), "--limit", "much"])
    assert ended.value.code == 2
    assert "'much' is not a size" in capsys.readouterr().err


def test_what_a_person_mixes_is_what_leaves(made: Path):
    project = made / "mixed.hubseg"
    shutil.copytree(made / "p.hubseg", project)
    recipe = Recipe.load(made / "recipe.yaml")
    with ReviewProject.open(project) as reader:
        slide = reader.slides()[0]
        both = derive(reader, slide).probability
    session = ReviewSession()
    session.open(project)
    session.set_mixture(recipe, Mixture().switched([(0, 0, 1)], on=False))
    session.close()
    with ReviewProject.open(project) as reader:
        one = derive(reader, slide).probability
        alone = newest_map(reader, slide, folds=(0,))
    assert (both.done, one.done, one.total) == (2, 1, 1)
    np.testing.assert_array_equal(one.values, alone.values)
    assert not np.array_equal(one.values, both.values)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("0", 0), ("20GB", 20 * 10**9), ("1.5t", 1_500_000_000_000), ("500 MB", 500_000_000)],
)
def test_sizes_are_read(text: str, wanted: int):
    assert size(text) == wanted


def test_evaluate_gives_dice_per_slide_organ_and_in_all(
    made: Path, capsys: pytest.CaptureFixture[str]
):
    answer = said(capsys, "evaluate", str(made / "p.hubseg"), "--truth", str(made / "train.csv"))
    with ReviewProject.open(made / "p.hubseg") as project:
        scores = []
        for slide in project.slides():
            mask = derive(project, slide).mask
            truth = decode(project.truth(slide.id) or "", SHAPE)
            scores.append(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
    assert answer["dice"] == pytest.approx(np.mean(scores))
    assert answer["organs"]["kidney"]["slides"] == 2
    apart = [row["boundary_px"] for row in answer["slides"] if row["boundary_px"] is not None]
    assert answer["boundary_px"] == (np.median(apart) if apart else None)
    assert main(["evaluate", str(made / "p.hubseg"), "--truth", str(made / "train.csv")]) == 0
    assert "mean Dice" in capsys.readouterr().out


@pytest.mark.parametrize("format", [n for n in FORMATS if n not in ("ome-zarr-map", "ndpa")])
def test_what_is_exported_is_the_mask_edits_included(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str
):
    session = ReviewSession()
    session.open(made / "p.hubseg")
    session.go_to("a")
    session.paint(np.ones((10, 10), bool), top=3, left=5, add=True)
    session.close()
    out = tmp_path / ("out.csv" if format == "kaggle-rle" else "out")
    answer = said(capsys, "export", str(made / "p.hubseg"), "--format", format, "--out", str(out))
    assert answer["written"] == ["a", "b"]
    with ReviewProject.open(made / "p.hubseg") as project:
        masks = {slide.id: derive(project, slide).mask for slide in project.slides()}
        assert project.exports()[-1].digest == answer["digest"]
    assert masks["a"][3:13, 5:15].all()
    if format == "kaggle-rle-published":
        assert "first and last pixel" in answer["notes"]["a"]
        for mask in masks.values():
            mask[0, 0] = mask[-1, -1] = False
    for name, mask in masks.items():
        np.testing.assert_array_equal(read_back(out, format, name), mask)


def test_maps_leave_as_images_whose_values_are_the_maps(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    zarr = pytest.importorskip("zarr")
    arguments = ["export", str(made / "p.hubseg"), "--format", "ome-zarr-map", "--out"]
    assert said(capsys, *arguments, str(tmp_path / "maps"))["written"] == ["a", "b"]
    with ReviewProject.open(made / "p.hubseg") as project:
        for slide in project.slides():
            group = zarr.open_group(tmp_path / "maps" / f"{slide.id}.ome.zarr", mode="r")
            assert np.array_equal(group["0"][:], newest_map(project, slide).values)
            assert group.attrs["multiscales"][0]["version"] == "0.4"
    shown = read_slide(tmp_path / "maps" / "a.ome.zarr")  # floats whose scale the file says
    assert shown.notes["values"].startswith("Its floating-point numbers from 0 to 255")
    assert np.array_equal(shown.read()[..., 0], np.rint(group_of(tmp_path, "a")))


def group_of(folder: Path, name: str) -> np.ndarray:
    import zarr

    level: np.ndarray = zarr.open_group(folder / "maps" / f"{name}.ome.zarr", mode="r")["0"][:]
    return level


def read_back(out: Path, format: str, name: str) -> np.ndarray:
    if format == "pseudo-labels":
        return read_pseudo_labels(out).mask(name)
    file = (
        out / "labelsTr" / f"{name}.tif" if format == "nnunet" else FORMATS[format].file(out, name)
    )
    images = images_in(file)[1]
    own = [one for one in images if one.name.startswith(name)] if len(images) > 1 else images
    return own[0].mask(*SHAPE)


def test_tiles_of_pseudo_labels_have_their_part_of_the_map(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = ["export", str(made / "p.hubseg"), "--format", "pseudo-labels", "--tile", "60"]
    assert said(capsys, *arguments, "--out", str(tmp_path / "set"))["written"] == ["a", "b"]
    read = read_pseudo_labels(tmp_path / "set")
    assert [one.id for one in read.slides[:5]] == [
        *("a_r1_c1", "a_r1_c2", "a_r1_c3", "a_r2_c1", "a_r2_c2"),
    ]
    with ReviewProject.open(made / "p.hubseg") as project:
        slide = next(slide for slide in project.slides() if slide.id == "a")
        whole, mask = np.rint(newest_map(project, slide).values), derive(project, slide).mask
    cut = slice(60, 96), slice(60, 94)  # the last two share 68 px of 128
    assert np.array_equal(read.soft("a_r2_c2"), whole[cut])
    assert np.array_equal(read.mask("a_r2_c2"), mask[cut])


def test_only_accepted_slides_leave_when_asked(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = ["export", str(made / "p.hubseg"), "--format", "png", "--only-accepted"]
    arguments += ["--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "No slide is accepted yet" in capsys.readouterr().err
    session = ReviewSession()
    session.open(made / "p.hubseg")
    session.go_to("b")
    session.show(newest_map(session.project, session.current))
    session.accept()
    session.close()
    assert said(capsys, *arguments)["written"] == ["b"]


def test_a_pseudo_label_set_trains(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    labels = tmp_path / "labels"
    session = ReviewSession()
    session.open(made / "p.hubseg")
    for name in ("a", "b"):
        session.go_to(name)
        session.show(newest_map(session.project, session.current))
        session.accept()
    session.close()
    with ReviewProject.open(made / "p.hubseg") as project:
        export_project(project, labels, format="pseudo-labels")
    answer = said(
        capsys,
        "train",
        str(labels / "manifest.csv"),
        "--recipe",
        str(made / "recipe.yaml"),
        "--out",
        str(tmp_path / "run"),
        "--device",
        "cpu",
        "--threads",
        "1",
    )
    assert answer["slides"] == 2
    assert len(list((tmp_path / "run" / "weights").iterdir())) == 2


def test_an_export_that_differs_from_the_mask_is_not_called_done(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hubseg.formats.table._row", lambda image, columns: (image.id, "1 1"))
    out = tmp_path / "s.csv"
    with (
        ReviewProject.open(made / "p.hubseg") as project,
        pytest.raises(OSError, match="reads back different"),
    ):
        export_project(project, out, format="kaggle-rle")
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["predict", "absent", "--project", "x.hubseg"], 1, "absent"),
        (["predict", "SLIDES", "--recipe", "nope", "--project", "x.hubseg"], 1, "No recipe 'nope'"),
        (["predict", "SLIDES", "--recipe", "fast", "--project", "x.hubseg"], 1, "looked in"),
        (["mask", "absent.hubseg"], 1, "absent.hubseg"),
        (["mask", "PROJECT", "--threshold", "liver/Hubmap=9"], 1, "liver"),
        (["mask", "PROJECT", "--threshold", "kidney/Hubmap=900"], 1, "900"),
        (["export", "absent.hubseg", "--format", "png", "--out", "o"], 1, "absent.hubseg"),
        (["train", "absent.csv", "--out", "o"], 1, "absent.csv"),
        (["evaluate", "PROJECT", "--truth", "absent.csv"], 1, "absent.csv"),
        (["recipe", "check", "--recipe", "fast"], 1, ""),
        (["recipe", "show"], 0, ""),
        (["frobnicate"], 2, "frobnicate"),
        (["predict"], 2, "required"),
    ],
)
def test_failures_are_one_sentence_and_an_exit_code(
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
):
    monkeypatch.chdir(tmp_path)
    places = {"SLIDES": str(made / "train.csv"), "PROJECT": str(made / "p.hubseg")}
    filled = [places.get(argument, argument) for argument in arguments]
    try:
        got = main(filled)
    except SystemExit as stopped:  # argparse's way to say wrong usage
        got = int(stopped.code or 0)
    told = capsys.readouterr().err
    assert got == code
    assert words in told
    assert "Traceback" not in told
    if code == 1 and words:
        assert len(told.strip().splitlines()) == 1


def test_doctor_says_what_it_found(capsys: pytest.CaptureFixture[str]):
    main(["doctor", "--json"])
    names = {finding["name"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert {"Python", "Qt", "OpenGL", "torch"} <= names


def test_help_imports_neither_torch_nor_napari():
    code = (
        "import sys\nfrom hubseg.cli import parser\nparser().format_help()\n"
        "assert not {'torch', 'timm', 'napari', 'distributed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
