"""The engine: workers of its own, ever better maps, nothing computed twice, cancel at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from hubseg.engine import Engine, Run, Update
from hubseg.inference import predict
from hubseg.network import build
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import Slide, read_slide

ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")
RECIPE = Recipe(name="t", folds=(0, 1, 2), resolutions=(Resolution(scale=0.5, members=(ENTRY,)),))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    for fold in RECIPE.folds:
        torch.manual_seed(fold)
        torch.save({"state_dict": build(ENTRY.network).state_dict()}, folder / f"m_{fold}")
    for name in ("one", "two", "three"):
        pixels = np.random.default_rng(len(name)).integers(0, 255, (200, 300, 3), np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    engine = Engine(folder / "maps", device="cpu")
    yield engine
    engine.unload()


def slide(folder: Path, name: str = "one") -> Slide:
    return read_slide(folder / f"{name}.png")


def test_every_member_gives_a_better_map_and_it_is_the_map_of_predict(engine: Engine, folder: Path):
    run = engine.run([slide(folder)], RECIPE, [folder])
    updates = list(run)
    assert [(u.done, u.total, u.finished, u.error) for u in updates] == [
        (1, 3, False, ""),
        (2, 3, False, ""),
        (3, 3, True, ""),
    ]
    assert {u.run_id for u in updates} == {run.id}
    assert updates[0].slide_digest == slide(folder).digest
    assert updates[-1].seconds_left == 0
    assert all(u.message.endswith("on cpu") for u in updates)  # whoever asked for it is told
    *_, wanted = predict(slide(folder), RECIPE, [folder], device="cpu")
    assert updates[-1].probability is not None
    np.testing.assert_allclose(updates[-1].probability.values, wanted.values, atol=1e-3)


def test_stored_members_are_not_computed_again(engine: Engine, folder: Path):
    list(engine.run([slide(folder)], RECIPE, [folder]))
    again = engine.run([slide(folder)], RECIPE, [folder])
    assert list(again)[-1].done == 3
    assert again.computed == 0


def test_a_failed_slide_is_said_and_does_not_stop_the_others(engine: Engine, folder: Path):
    broken = slide(folder, "three")
    broken.path.unlink()
    last = {u.slide_id: u for u in engine.run([broken, slide(folder, "two")], RECIPE, [folder])}
    assert last["three"].error
    assert "\n" not in last["three"].error
    assert last["two"].done == 3


def test_cancel_returns_within_a_second_and_keeps_what_is_finished(engine: Engine, folder: Path):
    recipe = RECIPE.model_copy(
        update={"resolutions": (Resolution(size=1472, members=(ENTRY,)),), "tta": "d4"}
    )
    run = engine.run([slide(folder)], recipe, [folder])
    asked: list[float] = []

    def stop() -> None:
        asked.append(time.monotonic())
        run.cancel()

    threading.Timer(0.5, stop).start()
    updates = list(run)
    assert time.monotonic() - asked[0] <= 1.0
    assert updates[-1].finished
    assert updates[-1].error == ""
    assert updates[-1].done < 3


def worker_pids(engine: Engine) -> list[int]:
    return list(engine.client().run(os.getpid).values())


def test_a_killed_worker_is_replaced_and_the_run_goes_on(engine: Engine, folder: Path):
    recipe = RECIPE.model_copy(update={"tta": "d4"})
    run: Run = engine.run([slide(folder)], recipe, [folder])
    updates: list[Update] = []
    for update in run:
        updates.append(update)
        if update.done == 1:
            for pid in worker_pids(engine):
                os.kill(pid, signal.SIGKILL)
    assert (updates[-1].done, updates[-1].error) == (3, "")


def test_missing_weights_are_said_before_anything_starts(folder: Path, tmp_path: Path):
    engine = Engine(tmp_path / "maps")
    with pytest.raises(FileNotFoundError, match="looked in"):
        engine.run([slide(folder)], RECIPE, [tmp_path])
    assert not engine.running


def test_a_scheduler_that_does_not_answer_is_said(folder: Path, tmp_path: Path):
    engine = Engine(tmp_path / "maps", scheduler="tcp://127.0.0.1:9")
    updates = list(engine.run([slide(folder)], RECIPE, [folder]))
    assert "did not answer" in updates[-1].error
    assert "leave it empty" in updates[-1].error


def test_the_process_that_holds_an_engine_never_imports_torch(folder: Path):
    code = f"""
import sys
from pathlib import Path
from hubseg.engine import Engine
from hubseg.recipe import Recipe
from hubseg.slide import read_slide
recipe = Recipe.from_yaml({RECIPE.to_yaml()!r})
folder = Path({str(folder)!r})
engine = Engine(folder / "other", device="cpu")
run = engine.run([read_slide(folder / "one.png")], recipe, [folder])
assert list(run)[-1].done == 3
engine.unload()
assert not {{"torch", "timm"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
