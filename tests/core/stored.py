"""A project whose member maps were put into its store by hand: no worker, no network needed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

from hubseg.formats.rle import encode
from hubseg.probability import MapStore, MemberMap, ProbabilityMap
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_map
from hubseg.project.runs import record
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.recipe.training_plan import TrainingPlan
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable

SHAPE = (48, 64)
HEAD = ("id", "organ", "data_source", "img_height", "img_width", "pixel_size", "rle")
TINY = """
name: tiny
folds: [0, 1]
tta: none
resolutions:
  - scale: 0.5
    members:
      - {network: {encoder: test_resnet}, checkpoint: "m_{fold}"}
"""  # ready for lines that follow


def recipe_of(name: str, encoder: str, checkpoint: str, folds: int, **resolution: Any) -> Recipe:
    """Return a recipe of one network; `resolution` says how large it sees slides."""
    entry = Entry(network=NetworkSpec(encoder=encoder), checkpoint=checkpoint)
    return Recipe(
        name=name,
        folds=tuple(range(folds)),
        resolutions=(Resolution(**resolution, members=(entry,)),),
    )


def recipe_to_train(**plan: Any) -> Recipe:
    """Return a recipe of one small network in two folds; `plan` says how it is trained."""
    return Recipe(
        name="t",
        folds=(0, 1),
        tta="none",
        resolutions=recipe_of("t", "test_resnet", "m_{fold}", 2, scale=0.5).resolutions,
        training=TrainingPlan(**plan),
    )


RECIPE = recipe_of("stored", "test_resnet", "m_{fold}", 5, scale=0.5)


def blob(number: int = 0) -> np.ndarray:
    """Return a member's map, 0-1, of a round thing that lies a little elsewhere in each slide."""
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return np.clip(1.4 - np.hypot(y - 20 - number, x - 30) / 14, 0, 1).astype(np.float32)


def map_of(values: np.ndarray, slide_digest: str, members: int = 1) -> ProbabilityMap:
    """Return a mix on 0-255 that no network made."""
    return ProbabilityMap(
        values,
        disagreement=None,
        slide_digest=slide_digest,
        recipe_digest="made up",
        done=members,
        total=members,
    )


def write_blanks(folder: Path, names: Iterable[str], shape: tuple[int, int]) -> Path:
    """Write a folder of slides, each of one grey that no other one has; return it."""
    folder.mkdir()
    for number, name in enumerate(names):
        pixels = np.full((*shape, 3), number, np.uint8)
        tifffile.imwrite(folder / f"{name}.tiff", pixels, photometric="rgb")
    return folder


def write_slides(folder: Path, names: Sequence[str]) -> Path:
    """Write an image for each name into `folder`/train_images, and the train table beside it."""
    (folder / "train_images").mkdir(parents=True)
    rows, random = [], np.random.default_rng(0)  # noise: no slide shows another one's tissue
    for number, name in enumerate(names):
        pixels = random.integers(0, 255, (*SHAPE, 3), np.uint8)
        cv2.imwrite(str(folder / "train_images" / f"{name}.png"), pixels)
        truth = encode(blob(number) * 255 > 100)
        rows.append([name, "kidney", "Hubmap", *SHAPE, 0.4, truth])
    with (folder / "train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEAD, *rows])
    return folder / "train.csv"


def put_maps(
    project: ReviewProject, slide_id: str, folds: Iterable[int], *, run: str = "run"
) -> list[str]:
    """Record a run of all five members on a slide of which only those of `folds` came back."""
    names = [slide.id for slide in project.slides()]
    slide = next(slide for slide in project.slides() if slide.id == slide_id)
    keys = []
    for member in RECIPE.members(tuple(folds)):
        key = f"{names.index(slide_id)}{member.fold}{run.encode().hex()}"
        MapStore(project.maps).put(key, MemberMap(blob(names.index(slide_id))))
        keys.append((member, key))
    digest = project.digest(slide)
    record(project, run, slide_id, RECIPE, keys, slide_digest=digest, asked=RECIPE.members())
    return [key for _, key in keys]


def accept(path: Path, names: Iterable[str]) -> None:
    """Accept slides of a project, each with its newest map on screen."""
    session = ReviewSession(author="test")
    session.open(path)
    for name in names:
        session.go_to(name)
        with ReviewProject.open(path) as reader:
            found = newest_map(reader, reader.slides()[[s.id for s in reader.slides()].index(name)])
        assert found is not None
        session.show(found)
        session.mask_now()
        session.accept()
    session.close()


def stored_project(folder: Path, names: Sequence[str] = ("a", "b", "c")) -> Path:
    """Return a project of small slides, each with truth and the maps of all five members."""
    table = write_slides(folder, names)
    with ReviewProject.create(folder / "p.hubseg", SlideTable.open(table)) as project:
        for name in names:
            put_maps(project, name, RECIPE.folds)
    return folder / "p.hubseg"
