"""Glomeruli, tubules and vessels of drawn kidneys: trained, run, exported and read back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hubseg.cli import main
from hubseg.formats.registry import FORMATS
from hubseg.formats.rle import decode
from hubseg.organ import Organ, StructureName
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_map
from hubseg.project.structures import structures_of
from hubseg.recipe import Recipe
from hubseg.synthetic import make_slide, make_structures
from hubseg.synthetic.samples import kidneys, write_structures
from hubseg.training.class_labels import marked_by
from hubseg.training.sources import labels_of

NAMES = GLOMERULUS, TUBULE, VESSEL = tuple(map(StructureName, ("glomerulus", "tubule", "vessel")))
SIDE, COUNT, SEED = 352, 4, 11
RECIPE = """
name: kidney
folds: [0, 1]
tta: none
resolutions:
  - scale: 0.25
    members:
      - network: {encoder: test_resnet}
        checkpoint: "kidney_{fold}"
        classes: [background, glomerulus, tubule, vessel]
        activation: softmax
training: {steps: 4, batch: 2, crop: 64, report_every: 4, warm_up: 1}
thresholds: {Hubmap: {kidney: {default: 50, tubule: 50, vessel: 50}}}
vocabulary:
  structures: {tubule: {organs: [kidney]}, vessel: {organs: [kidney]}}
  exclusive: [[glomerulus, tubule, vessel]]
"""


# ---- what is drawn ------------------------------------------------------------------------------


def test_the_generator_knows_glomeruli_tubules_and_vessels_and_none_shares_a_pixel():
    image, masks = make_structures(Organ.KIDNEY, height=SIDE, width=SIDE, seed=15)
    assert tuple(masks) == NAMES
    plain, own = make_slide(Organ.KIDNEY, height=SIDE, width=SIDE, seed=15)
    assert np.array_equal(image, plain) and np.array_equal(masks[GLOMERULUS], own)
    assert np.sum(list(masks.values()), axis=0).max() == 1
    shares = [mask.mean() for mask in masks.values()]
    assert 0.02 < shares[0] < 0.3 and 0.4 < shares[1] < 0.9 and 0 < shares[2] < 0.1
    paler = np.median(image[masks[TUBULE]][:, 1]) - np.median(image[masks[GLOMERULUS]][:, 1])
    assert paler > 15


@pytest.mark.parametrize("organ", [Organ.SPLEEN, Organ.LUNG])
def test_other_organs_have_their_functional_unit(organ: Organ):
    image, masks = make_structures(organ, height=96, width=96, seed=1)
    plain, own = make_slide(organ, height=96, width=96, seed=1)
    (mask,) = masks.values()
    assert np.array_equal(image, plain) and np.array_equal(mask, own)


# ---- from drawing to what leaves ----------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn kidneys, a recipe, and what one training of it left."""
    made = tmp_path_factory.mktemp("kidney")
    write_structures(made, kidneys(COUNT, first_seed=SEED), height=SIDE, width=SIDE)
    (made / "kidney.yaml").write_text(RECIPE)
    train = ["train", made / "classes.csv", "--recipe", made / "kidney.yaml", "--device", "cpu"]
    told = ["--organ", "kidney", "--source", "Hubmap", "--out", made / "run"]
    assert main(list(map(str, [*train, *told]))) == 0
    return made


@pytest.fixture
def project(folder: Path, scheduler: str) -> Path:
    """What the trained networks mark, by command."""
    path = folder / "p.hubseg"
    if not path.exists():
        predict = ["predict", folder / "train.csv", "--recipe", folder / "kidney.yaml"]
        predict += ["--weights", folder / "run" / "weights", "--project", path]
        assert main(list(map(str, [*predict, "--scheduler", scheduler]))) == 0
        assert main(["mask", str(path), *_between(path)]) == 0
    return path


def _between(path: Path) -> list[str]:
    """Return thresholds at which networks that have learnt little mark some of everything."""
    with ReviewProject.for_reading(path) as opened:
        slide, told = opened.slides()[0], []
        for name in NAMES:
            found = newest_map(opened, slide, structure=name)
            assert found is not None
            told += ["--threshold", f"kidney/Hubmap/{name}={np.percentile(found.values, 60):.3f}"]
    return told


def masks_of(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the mask of each structure of each slide."""
    with ReviewProject.for_reading(path) as project:
        return {
            slide.id: {
                str(name): derive(project, slide, name).mask
                for name in structures_of(project, slide)
            }
            for slide in project.slides()
        }


def test_the_drawn_truth_is_what_training_reads(folder: Path):
    labels = labels_of(folder / "classes.csv", structures=marked_by(Recipe.from_yaml(RECIPE)))
    for label, sample in zip(labels, kidneys(COUNT, first_seed=SEED), strict=True):
        _, masks = make_structures(Organ.KIDNEY, height=SIDE, width=SIDE, seed=sample.seed)
        for name, mask in masks.items():
            own = label.of(name)
            assert own is not None and np.array_equal(own.mask(), mask)
    with (folder / "run" / "out_of_fold.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * COUNT and {row["structure"] for row in rows} == {*map(str, NAMES)}


EVERY = [name for name, form in FORMATS.items() if form.structures and form.writes]
EVERY.append("nnunet")


@pytest.mark.slow
@pytest.mark.parametrize("format", EVERY)
def test_every_format_of_several_structures_reads_back_as_it_left(
    project: Path, format: str, tmp_path: Path
):
    wanted = masks_of(project)
    assert all(any(m[str(n)].any() for m in wanted.values()) for n in NAMES), "each is somewhere"
    for masks in wanted.values():
        assert np.sum(list(masks.values()), axis=0).max() <= 1
    form, out = FORMATS[format], tmp_path / "out"
    assert main(["export", str(project), "--format", format, "--out", str(out)]) == 0
    found = read_back(format, out, project.parent / "train_images")
    for slide, masks in wanted.items():
        for name in NAMES:
            again = found(slide, str(name))
            np.testing.assert_array_equal(again, masks[str(name)], err_msg=f"{form.name} {name}")


def read_back(format: str, out: Path, images: Path) -> Any:
    """Return what gives the mask of a structure of a slide from what was written."""
    form = FORMATS[format]
    if format.startswith(("kaggle-image", "class-", "nnunet")):
        path = out / form.target if form.writes == "all" else out
        path = out / "labelsTr" if format == "nnunet" else path
        names = marked_by(Recipe.from_yaml(RECIPE))
        labels = {x.slide.id: x for x in labels_of(path, images=images, structures=names)}
        return lambda slide, name: labels[slide].of(StructureName(name)).mask()
    if format == "kaggle-classes":
        with (out / form.target).open(newline="") as file:
            rows = {(r["id"], r["class"]): r["segmentation"] for r in csv.DictReader(file)}
        return lambda slide, name: decode(rows[slide, name], (SIDE, SIDE)).T
    if form.writes == "all":
        every = {Path(one.name).stem: one for one in form.read(out / form.target)}
        return lambda slide, name: every[slide].of_class(name).mask(SIDE, SIDE)

    def of_file(slide: str, name: str) -> np.ndarray:
        (image,) = form.read(out / f"{slide}{form.suffixes[0]}")
        return image.of_class(name).mask(SIDE, SIDE)

    return of_file
