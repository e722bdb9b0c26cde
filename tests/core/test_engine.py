"""The engine: workers of its own, ever better maps, nothing computed twice, cancel at once."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from hubseg.engine import Engine, Run, Update, cluster
from hubseg.inference import predict
from hubseg.inference.openvino_model import installed_version
from hubseg.network import build
from hubseg.probability import MapStore, Mixer, ProbabilityMap
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import Slide, read_slide

ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")
RECIPE = Recipe(name="t", folds=(0, 1, 2), resolutions=(Resolution(scale=0.5, members=(ENTRY,)),))

pytestmark = pytest.mark.slow
PATIENCE_S = 800  # until pytest ends the test


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    for fold in RECIPE.folds:
        torch.manual_seed(fold)
        torch.save({"state_dict": build(ENTRY.network).state_dict()}, folder / f"m_{fold}")
    for name in ("one", "two", "three", "four"):
        pixels = np.random.default_rng(len(name)).integers(0, 255, (200, 300, 3), np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
    return folder


@pytest.fixture(scope="module")
def made_ready(folder: Path) -> Iterator[tuple[Engine, list[bool]]]:
    """An engine that was made ready, and what its worker says of that before it has any task."""

    def imported() -> bool:
        for thread in threading.enumerate():
            if thread.name == "hubseg-early":
                thread.join()
        return "timm" in sys.modules

    engine = Engine(folder / "maps", device="cpu")
    engine.get_ready()
    engine.client().wait_for_workers(1, timeout=PATIENCE_S)
    yield engine, list(engine.client().run(imported).values())
    engine.unload()


@pytest.fixture
def engine(made_ready: tuple[Engine, list[bool]]) -> Engine:
    return made_ready[0]


def slide(folder: Path, name: str = "one") -> Slide:
    return read_slide(folder / f"{name}.png")


def mixed(updates: Sequence[Update], slide: Slide) -> ProbabilityMap:
    """Mix what a run has brought of a slide, as whoever shows it does."""
    mixer = Mixer(shape=(slide.height, slide.width), slide_digest=slide.digest)
    for update in updates:
        if update.slide_id == slide.id and update.came is not None:
            mixer.put(*update.came)
    return mixer.mix(updates[-1].recipe, updates[-1].asked)


def test_a_folder_is_told_to_workers_from_the_root(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of another computer's scheduler stands elsewhere: it found nothing in WEIGHTS."""
    monkeypatch.chdir(folder.parent)
    run = Engine(folder / "maps").run([slide(folder)], RECIPE, [Path(folder.name)])
    assert all(file.is_absolute() for file in run._files.values())


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
    np.testing.assert_allclose(mixed(updates, slide(folder)).values, wanted.values, atol=1e-3)


def test_where_torch_cannot_compile_the_network_runs_as_it_is_and_that_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CXX", str(tmp_path / "no-compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    engine = Engine(tmp_path / "maps", device="cpu", compiled=True)
    try:
        updates = list(engine.run([slide(folder)], RECIPE, [folder], folds=(0,)))
    finally:
        engine.unload()
    assert updates[-1].done == updates[-1].total == 1
    assert "not compiled" in updates[-1].message
    *_, wanted = predict(slide(folder), RECIPE, [folder], device="cpu", folds=(0,))
    np.testing.assert_allclose(mixed(updates, slide(folder)).values, wanted.values, atol=1e-3)


def test_getting_ready_imports_networks_in_a_worker_that_is_only_being_started(
    made_ready: tuple[Engine, list[bool]],
):
    assert made_ready[1] == [True]


@pytest.mark.skipif(installed_version() is None, reason="pip install openvino")
def test_openvino_runs_networks_where_it_is_asked_for_and_that_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    engine = Engine(tmp_path / "maps", device="cpu", cpu_engine="openvino")
    try:
        updates = list(engine.run([slide(folder)], RECIPE, [folder], folds=(0,)))
    finally:
        engine.unload()
    assert updates[-1].message.endswith("on cpu; by OpenVINO")
    *_, wanted = predict(slide(folder), RECIPE, [folder], device="cpu", folds=(0,))
    seen = mixed(updates, slide(folder)).values
    np.testing.assert_allclose(seen, wanted.values, rtol=0, atol=0.01)


def test_a_job_knows_how_many_slides_its_network_is_run_on_right_after(folder: Path):
    slides = [slide(folder, name) for name in ("one", "two", "three", "four")]
    run = Engine(folder / "unused").run(slides, RECIPE, [folder], folds=(0, 1))
    following = [(p.slide.id, j.member.fold, j.following) for p, j in run._jobs()]
    assert following == [
        *(("one", 0, 3), ("one", 1, 3)),
        *(("two", 0, 2), ("three", 0, 1), ("four", 0, 0)),
        *(("two", 1, 2), ("three", 1, 1), ("four", 1, 0)),
    ]


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


def test_cancel_waits_for_no_worker_and_keeps_what_is_finished(engine: Engine, folder: Path):
    """The worker stands still from the first member on: nothing it does can end the run."""
    recipe = RECIPE.model_copy(
        update={"resolutions": (Resolution(size=416, members=(ENTRY,)),), "tta": "d4"}
    )
    run = engine.run([slide(folder)], recipe, [folder])
    updates, pids = [], worker_pids(engine)
    try:
        for update in run:
            updates.append(update)
            if not update.finished:
                for pid in pids:
                    os.kill(pid, signal.SIGSTOP)
                run.cancel()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert [(u.done, u.finished, u.error) for u in updates] == [(1, False, ""), (1, True, "")]
    again = engine.run([slide(folder)], recipe, [folder])
    assert list(again)[-1].done == 3  # the worker is free again
    assert again.computed <= 2


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


@pytest.fixture(scope="module")
def silent() -> Iterator[socket.socket]:
    """Somebody listens at an address, takes the call, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def calling(silent: socket.socket, maps: Path) -> Engine:
    return Engine(maps, scheduler=f"tcp://127.0.0.1:{silent.getsockname()[1]}")


def test_a_scheduler_that_does_not_answer_is_said_once_for_all_slides(
    silent: socket.socket, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert cluster._ANSWER_S <= 10  # what a person waits, and the test does not
    monkeypatch.setattr(cluster, "_ANSWER_S", 1.0)
    calls: list[object] = []
    call = cluster._call
    monkeypatch.setattr(cluster, "_call", lambda address: calls.append(address) or call(address))
    engine = calling(silent, tmp_path / "maps")
    with pytest.raises(ConnectionError, match=r"did not answer within 1 s.*leave it empty"):
        list(engine.run([slide(folder), slide(folder, "two")], RECIPE, [folder]))
    assert len(calls) == 1
    assert not engine.running


def test_cancel_does_not_wait_for_a_scheduler_that_does_not_answer(
    silent: socket.socket, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The call goes on when the run has ended: nobody ever answers it."""
    called, answer = threading.Event(), threading.Event()

    def call(_: object) -> None:
        called.set()
        answer.wait()

    monkeypatch.setattr(cluster, "_call", call)
    run = calling(silent, tmp_path / "maps").run([slide(folder)], RECIPE, [folder])
    person = threading.Thread(target=lambda: called.wait() and run.cancel())
    person.start()
    updates = list(run)
    assert called.is_set()
    answer.set()
    person.join()
    assert (updates[-1].finished, updates[-1].error) == (True, "")


def members_filed(folder: Path) -> int:
    return MapStore(folder).room.usage()[0]


def test_two_workers_give_the_bits_of_one(engine: Engine, folder: Path):
    one = mixed(list(engine.run([slide(folder)], RECIPE, [folder])), slide(folder))
    two = Engine(folder / "two", device="cpu", workers=2)
    try:
        run = two.run([slide(folder)], RECIPE, [folder])
        other = mixed(list(run), slide(folder))
        assert len(two.client().nthreads()) == 2
    finally:
        two.unload()
    assert run.computed == 3
    np.testing.assert_array_equal(other.values, one.values)
    np.testing.assert_array_equal(other.disagreement, one.disagreement)


def test_few_tasks_are_in_flight_and_no_map_is_held_once_it_was_told(engine: Engine, folder: Path):
    recipe = RECIPE.model_copy(update={"tta": "flips"})
    slides = [slide(folder, name) for name in ("one", "four")]
    run = engine.run(slides, recipe, [folder])
    most, maps = 0, []
    for update in run:
        most = max(most, len(run._flying))
        assert update.came is not None
        maps.append(weakref.ref(update.came[1].values))
    del update
    gc.collect()
    assert run.computed == len(maps) == 6
    assert most <= 2  # one runs, the next reads its checkpoint
    assert [one() for one in maps] == [None] * 6


CLIENT = """
import sys
from pathlib import Path
from hubseg.engine import Engine
from hubseg.recipe import Recipe
from hubseg.slide import read_slide
folder = Path(sys.argv[1])
recipe = Recipe.load(folder / "killed.yaml")
engine = Engine(folder / "killed", device="cpu")
print("workers", flush=True)
run = engine.run([read_slide(folder / "one.png")], recipe, [folder])
for last in run:
    pids = engine.client().run(__import__("os").getpid).values()
    print(last.done, *pids, flush=True)
engine.unload()
print(last.done, last.error or "whole", run.computed)
assert last.done == 3
assert not {"torch", "timm"} & set(sys.modules)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_client_leaves_what_was_finished_and_no_process(folder: Path):
    """Another one goes on with that. Neither ever imports torch: they are a window's process."""
    recipe = RECIPE.model_copy(update={"tta": "d4"})
    (folder / "killed.yaml").write_text(recipe.to_yaml())
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert client.stdout is not None
    client.stdout.readline()
    done, *pids = map(int, client.stdout.readline().split())
    client.send_signal(signal.SIGKILL)
    client.wait()
    client.stdout.close()
    finished = members_filed(folder / "killed")
    assert done >= 1
    assert finished >= done
    while any(map(alive, pids)):  # they end by themselves, or pytest ends the test
        time.sleep(0.05)
    filed = members_filed(folder / "killed")
    again = subprocess.run(
        [sys.executable, "-c", CLIENT, str(folder)], check=True, stdout=subprocess.PIPE, text=True
    )
    done, error, computed = again.stdout.splitlines()[-1].split()
    assert (done, error) == ("3", "whole")
    assert int(computed) == 3 - filed  # no finished member again


def test_an_empty_address_is_this_computer(tmp_path: Path) -> None:
    """Dask, asked for no address at all, would start a cluster with a page for everybody to see."""
    assert Engine(tmp_path / "maps", device="cpu", scheduler="").scheduler is None


def test_somebody_elses_cluster_is_used_and_left_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    from distributed import Client, SubprocessCluster

    monkeypatch.setattr("hubseg.engine.cluster._ANSWER_S", PATIENCE_S)
    with SubprocessCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, worker_kwargs={"memory_limit": 0}
    ) as cluster:
        with Client(cluster, set_as_default=False) as theirs:
            theirs.wait_for_workers(1)
        engine = Engine(folder / "far", device="cpu", scheduler=cluster.scheduler_address)
        run = engine.run([slide(folder)], RECIPE, [folder])
        *_, last = run
        assert (last.done, last.error, run.computed) == (3, "", 3)
        assert engine.warnings == ()
        assert members_filed(folder / "far") == 3
        engine.unload()
        assert not engine.running
        list(engine.run([slide(folder)], RECIPE, [folder]))  # all in the store: nobody is asked
        assert not engine.running
    monkeypatch.setattr("hubseg.engine.cluster._ANSWER_S", 1.0)  # nobody is there to wait for
    late = engine.run([slide(folder, "four")], RECIPE, [folder])
    with pytest.raises(ConnectionError, match="did not answer"):
        list(late)


SHORT_LIVED = """
import os, threading, time
import psutil
from pathlib import Path
from hubseg.engine import Engine
engine = Engine(Path("maps"), device="cpu")
threading.Thread(target=engine.get_ready, daemon=True).start()
while not psutil.Process().children():
    time.sleep(0.01)
os._exit(0)
"""


def test_a_client_that_is_gone_before_its_scheduler_has_begun_leaves_no_process(tmp_path: Path):
    """Its pipe is held open by whoever it started: reading to the end ends when they have."""
    with subprocess.Popen(
        [sys.executable, "-c", SHORT_LIVED], cwd=tmp_path, stdout=subprocess.PIPE
    ) as client:
        assert client.communicate()[0] == b""
