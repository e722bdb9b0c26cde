"""A training on somebody's cluster: its worker dies, all die, its client goes away.

What trains there is made up: it saves a state when it begins and another one when it is stopped.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import Client

from hubseg.engine import ClusterTraining, Engine, TrainingOrder

PROGRAM = """
import json, os, sys, threading, time
out = sys.argv[sys.argv.index("--out") + 1]
def report(**facts): print(json.dumps(facts), flush=True)
def wait_for_end():
    while os.read(0, 4096): pass
    end.set()
end = threading.Event()
threading.Thread(target=wait_for_end, daemon=True).start()
resumed = "--resume" in sys.argv
report(event="begun", resumed=resumed)
os.makedirs(out + "/states", exist_ok=True)
open(out + "/states/m.state", "w").close()
report(event="step")
if resumed:
    report(event="done")
    sys.exit(0)
end.wait()
open(out + "/saved", "w").close()
report(event="stopped")
sys.exit(3)
"""
PRELOAD = f"""
import sys
from hubseg.engine import training
training._COMMAND = (sys.executable, "-c", {PROGRAM!r})
"""
PATIENCE_S = 800  # until pytest ends the test
DASK = (sys.executable, "-m", "dask")


class Cluster:
    """A scheduler and workers without nannies, as processes of this computer."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / "scheduler.json"
        (folder / "preload.py").write_text(PRELOAD)
        self.workers: list[subprocess.Popen[bytes]] = []
        self._scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")

    def _start(self, *what: str) -> subprocess.Popen[bytes]:
        told = ("--no-dashboard", "--scheduler-file", str(self._file))
        return subprocess.Popen([*DASK, *what, *told], cwd=self._folder, stderr=subprocess.DEVNULL)

    def add_worker(self) -> None:
        """Start one, and return when the scheduler has it, however long that takes."""
        preload = ("--preload", str(self._folder / "preload.py"))
        self.workers.append(self._start("worker", "--no-nanny", "--nthreads", "2", *preload))
        with Client(self.address, timeout=PATIENCE_S, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers))

    def kill(self, worker: int) -> None:
        self.workers[worker].kill()
        self.workers[worker].wait()

    @property
    def address(self) -> str:
        until(lambda: self._file.is_file() and self._file.read_text().rstrip().endswith("}"))
        return str(json.loads(self._file.read_text())["address"])

    def close(self) -> None:
        for process in (*self.workers, self._scheduler):
            process.kill()
            process.wait()


def torch_is_imported(engine: Engine) -> list[bool]:
    return list(engine.client().run(eval, "'torch' in __import__('sys').modules").values())


def until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.01)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    cluster.add_worker()
    yield cluster
    cluster.close()


@pytest.fixture
def engine(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr("hubseg.engine.cluster._ANSWER_S", PATIENCE_S)  # a busy one is not absent
    engine = Engine(tmp_path / "maps", scheduler=cluster.address)
    yield engine
    engine.unload()


@pytest.fixture
def order(tmp_path: Path) -> TrainingOrder:
    (tmp_path / "labels.csv").touch()
    return TrainingOrder(tmp_path / "labels.csv", "demo", tmp_path / "out")


def test_a_killed_worker_is_told_and_another_one_goes_on(
    cluster: Cluster, engine: Engine, order: TrainingOrder
):
    seen = []
    for report in ClusterTraining(order, engine.client):
        seen.append(report)
        if report["event"] == "step" and len(seen) == 2:
            cluster.add_worker()
            cluster.kill(0)
    events = [report["event"] for report in seen]
    assert events == ["begun", "step", "said", "begun", "step", "done"]
    assert "is gone" in seen[2]["sentence"] and "goes on from the last state" in seen[2]["sentence"]
    assert [r["resumed"] for r in seen if r["event"] == "begun"] == [False, True]
    assert (order.out / "saved").exists()  # by the one whose worker was killed
    assert torch_is_imported(engine) == [False]  # by its own process alone, where it trains


def test_a_cluster_without_workers_is_told_and_stop_does_not_wait_for_one(
    cluster: Cluster, engine: Engine, order: TrainingOrder
):
    training, seen = ClusterTraining(order, engine.client), []
    for report in training:
        seen.append(report)
        if report["event"] == "step":
            cluster.kill(0)
        if report["event"] == "said":
            training.cancel()
    assert [report["event"] for report in seen] == ["begun", "step", "said"]
    assert "no worker any more: start one" in seen[2]["sentence"]


@pytest.mark.parametrize("how", ["left", "gone"])
def test_one_whose_client_goes_away_saves_its_state(
    cluster: Cluster, engine: Engine, order: TrainingOrder, how: str
):
    training = ClusterTraining(order, engine.client, engine.unload)
    coming = iter(training)
    assert [next(coming)["event"], next(coming)["event"]] == ["begun", "step"]
    if how == "left":
        training.leave()
        assert list(coming) == []
    else:
        engine.client().close()
        with pytest.raises(ConnectionError, match="scheduler is gone"):
            list(coming)
    until((order.out / "saved").exists)


def test_a_recipe_or_start_that_the_worker_does_not_see_is_named(
    engine: Engine, order: TrainingOrder, tmp_path: Path
):
    unseen = TrainingOrder(order.labels, str(tmp_path / "r.yaml"), order.out, tmp_path / "start")
    with pytest.raises(FileNotFoundError, match=r"does not see .*r\.yaml and .*start: train from"):
        list(ClusterTraining(unseen, engine.client))


class StartingCluster:
    """A client whose cluster has no worker yet, then one, then none; nothing is ever computed."""

    status = "running"

    def __init__(self) -> None:
        self.scheduler = self
        self.told: list[dict[str, int]] = [{}, {}, {"worker": 2}, {}]

    def ncores(self) -> dict[str, int]:
        return self.told.pop(0)

    def sync(self, asked: Callable[[], dict[str, int]], **_: object) -> dict[str, int]:
        return asked()


def test_a_worker_that_only_starts_is_not_one_that_is_gone(order: TrainingOrder):
    client = StartingCluster()
    training = ClusterTraining(order, lambda: client)
    said = [[*training._look_for_workers(client)] for _ in range(4)]
    assert said[:3] == [[], [], []]
    assert "no worker any more" in said[3][0]["sentence"]
