"""What stands on a person's screen: sentences, and nothing that a library or a worker says."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from stored import RECIPE, stored_project, write_slides

from hubseg.cli import main
from hubseg.cli.predicting import folds
from hubseg.engine.answers import result
from hubseg.engine.checking import Checks
from hubseg.engine.job import Job, Refused
from hubseg.engine.worker import PLUGIN, Networks, check_checkpoint, run_member
from hubseg.failure import about, one_sentence
from hubseg.network import build
from hubseg.process.logs import LARGEST, keep_apart, library_logs, log_folder, worker_log
from hubseg.recipe import Recipe, with_scores
from hubseg.slide import SlideTable

TINY = """
name: tiny
folds: [0, 1]
tta: none
resolutions:
  - um_per_px: 0.8
    members:
      - {network: {encoder: test_resnet}, checkpoint: "m_{fold}"}
"""


@pytest.fixture(autouse=True)
def _logs_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_log_path", lambda *_, **__: tmp_path / "logs")


def test_in_another_program_one_librarys_logs_go_to_the_file_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """napari prints what every logger says: starting a worker wrote lines into a person's shell."""
    log, root = logging.getLogger("some.part"), logging.getLogger()
    shown = logging.StreamHandler()
    root.addHandler(shown)
    try:
        with library_logs(verbose=True):
            keep_apart("some")
            log.warning("a scheduler starts")
        for _ in range(2):
            keep_apart("some")
            log.warning("a worker starts")
    finally:
        root.removeHandler(shown)
        for one in tuple(log.parent.handlers):
            log.parent.removeHandler(one)
            one.close()
        log.parent.propagate = True
    said = capsys.readouterr().err
    assert "scheduler" in said, "where a person asked for it"
    assert "worker" not in said
    assert (tmp_path / "logs" / "hubseg.log").read_text().count("a worker starts") == 2


# ---- one sentence ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/d/x.map"), ["/d/x.map", "make room"]),
        (FileNotFoundError(errno.ENOENT, "No such file", "/d/x"), ["/d/x", "check that it exists"]),
        (PermissionError(errno.EACCES, "Permission denied", "/d"), ["/d cannot be", "who may"]),
        (
            OSError(errno.EROFS, "Read-only file system", "/d"),
            ["/d cannot be written", "elsewhere"],
        ),
        (OSError("The scheduler is gone."), ["The scheduler is gone."]),
        (ValueError("First line.\nSecond."), ["First line."]),
        (KeyError("organ"), ["KeyError", "organ"]),
        (ZeroDivisionError(), ["ZeroDivisionError"]),
        (MemoryError(), ["not enough memory"]),
    ],
)
def test_any_error_is_one_sentence(error: Exception, says: list[str]) -> None:
    sentence = one_sentence(error)
    assert "\n" not in sentence
    assert "[Errno" not in sentence
    for part in says:
        assert part in sentence


def test_a_refusal_without_a_file_gets_the_one_it_is_about(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, about(tmp_path / "x.map"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "x.map cannot be written (No space left on device)" in one_sentence(caught.value)


# ---- logs --------------------------------------------------------------------------------------


def test_libraries_log_into_a_file_and_not_onto_the_screen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loud = logging.getLogger("hubseg.test.loud")
    handler = logging.StreamHandler(sys.stderr)
    loud.addHandler(handler)
    try:
        with library_logs(), warnings.catch_warnings():
            warnings.simplefilter("always")
            loud.warning("a worker was lost")
            warnings.warn("old name", UserWarning, stacklevel=1)
        assert loud.handlers == [handler]
    finally:
        loud.removeHandler(handler)
    assert capsys.readouterr().err == ""
    text = (log_folder() / "hubseg.log").read_text()
    assert "a worker was lost" in text
    assert "old name" in text


def test_a_log_stays_small() -> None:
    with library_logs():
        for _ in range(3):
            logging.getLogger("hubseg.test").warning("x" * (LARGEST // 2))
    assert sum(path.stat().st_size for path in log_folder().iterdir()) <= 2 * LARGEST
    for _ in range(3):
        with worker_log() as log:
            log.write(b"x" * (LARGEST + 1))
    assert len(list(log_folder().glob("workers.log*"))) == 2


def test_where_no_log_can_be_kept_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    with library_logs(), worker_log() as log:
        logging.getLogger("hubseg.test").warning("lost")
        log.write(b"lost")
    assert capsys.readouterr().err == ""


def test_verbose_leaves_logs_where_they_are() -> None:
    with library_logs(verbose=True):
        logging.getLogger("hubseg.test").info("seen")
    assert not log_folder().exists()


def test_doctor_says_where_the_logs_are(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--json"])
    findings = {one["name"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert str(log_folder()) in findings["logs"]["said"]


# ---- folds and scores --------------------------------------------------------------------------


def test_a_fold_that_is_named_twice_counts_once() -> None:
    assert folds("0,0,1") == (0, 1)
    assert len(RECIPE.members((0, 0))) == 1


@pytest.mark.parametrize("text", ["", "x", "0;1", "0,,1", "1.5"])
def test_bad_folds_are_one_sentence(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="whole numbers"):
        folds(text)


def test_best_scores_of_one_fold_are_enough_to_run_it(tmp_path: Path) -> None:
    text = TINY.replace('"m_{fold}"}', '"m_{fold}", weight: best_score}')
    torch.save({"state_dict": {}, "best_score": 0.8}, tmp_path / "m_0")
    recipe = with_scores(Recipe.from_yaml(text), {"m_0": tmp_path / "m_0"})
    assert [member.weight for member in recipe.members((0,))] == [0.8]
    assert [member.weight for member in recipe.members()] == [0.8, 1.0]
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe


# ---- a run -------------------------------------------------------------------------------------


class Task:
    """Stands in for what Dask gives for a task."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def result(self) -> object:
        return self._answer

    def release(self) -> None: ...

    def add_done_callback(self, done: object) -> None: ...


class Client:
    """Runs a task at once, in this process."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def submit(self, do: object, recipe: Recipe, member: object, path: Path, **_: object) -> Task:
        self.asked.append(path.name)
        return Task(do(recipe, member, path))  # type: ignore[operator]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Two checkpoints, of which m_1 holds NaN."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for fold in (0, 1):
        torch.manual_seed(fold)
        state = build(RECIPE.members()[0].network).state_dict()
        if fold:
            state["encoder.conv1.weight" if "encoder.conv1.weight" in state else next(iter(state))][
                :
            ] = torch.nan
        torch.save({"state_dict": state}, folder / f"m_{fold}")
    return folder


def test_every_checkpoint_is_looked_at_once_and_a_bad_one_is_named(weights: Path) -> None:
    recipe = Recipe.from_yaml(TINY)
    files = {f"m_{fold}": weights / f"m_{fold}" for fold in (0, 1)}
    checked: set[tuple[str, str, int | None]] = set()
    for expected in (["m_0", "m_1"], ["m_1"]):
        client = Client()
        checks = Checks(recipe, recipe.members(), files, checked)
        checks.submit(client, lambda task: None)
        for task in list(checks.waiting):
            checks.take(task)
        assert client.asked == expected
        with pytest.raises(ValueError, match=r"m_1 holds NaN in "):
            checks.conclude()


def test_the_first_checkpoint_that_cannot_be_used_is_named_whichever_worker_was_quicker(
    tmp_path: Path,
) -> None:
    recipe = Recipe.from_yaml(TINY)
    files = {f"m_{fold}": tmp_path / f"m_{fold}" for fold in (0, 1)}
    for name, file in files.items():
        file.write_bytes(name.encode())
    checks = Checks(recipe, recipe.members(), files, set())
    checks.submit(Client(), lambda task: None)
    for task in reversed(list(checks.waiting)):
        checks.take(task)
    with pytest.raises(ValueError, match=r"m_0 .* 1 more cannot be used"):
        checks.conclude()


def test_a_task_answers_whatever_is_raised_so_that_no_worker_prints_a_traceback(
    weights: Path,
) -> None:
    recipe = Recipe.from_yaml(TINY)
    answer = check_checkpoint(recipe, recipe.members()[1], weights / "absent")
    assert isinstance(answer, Refused)
    assert "absent" in answer.why
    assert isinstance(result(Task(answer), "m_1"), Refused)


def test_a_map_that_is_no_number_is_the_slides_failure_and_no_workers_traceback(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights that are numbers, of which none is odd, and a map that overflows."""
    recipe, file = Recipe.from_yaml(TINY), weights / "m_0"
    state = torch.load(file)["state_dict"]
    large = {name: torch.full_like(one, 1e37) for name, one in state.items() if one.ndim == 4}
    torch.save({"state_dict": {**state, **large}}, file)
    networks = Networks(None)
    monkeypatch.setattr("hubseg.engine.worker.give_way", lambda _: None)
    networks.setup(None)
    monkeypatch.setattr(
        "distributed.get_worker", lambda: SimpleNamespace(plugins={PLUGIN: networks})
    )
    (slide, *_) = SlideTable.open(write_slides(tmp_path / "slides", "a")).slides
    job = Job("run", slide, "digest", recipe, recipe.members()[0], file, "digest", "cpu")
    assert check_checkpoint(recipe, job.member, file) == ()
    answer = run_member(job)
    assert isinstance(answer, Refused)
    assert answer.why.startswith("The map of a member must be finite, and this one holds NaN")


def predict(folder: Path, weights: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hubseg.cli", "predict"]
    command += [str(folder / "train_images" / "a.png"), str(folder / "train.csv")]
    command += ["--recipe", str(folder / "r.yaml"), "--weights", str(weights), "--device", "cpu"]
    command += ["--project", str(folder / "p.hubseg"), "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_run_says_nothing_but_its_own_sentences(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several SLIDES, a row with a pixel size no slide has, and first a checkpoint with NaN."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "slides"
    table = write_slides(folder, "abc")
    rows = table.read_text().splitlines()
    (folder / "r.yaml").write_text(TINY)
    told = predict(folder, weights)
    assert told.returncode == 1
    assert len(told.stderr.splitlines()) == 1, told.stderr
    assert "m_1 holds NaN" in json.loads(told.stdout)["error"]
    weights.joinpath("m_1").write_bytes(weights.joinpath("m_0").read_bytes())
    table.write_text("\n".join([rows[0], rows[1], rows[2].replace("0.4", "500"), rows[3]]))
    shutil.rmtree(folder / "p.hubseg")  # which knows the pixel size that the table had before
    told = predict(folder, weights)
    answer = json.loads(told.stdout)
    assert told.returncode == 3, told.stderr
    assert (list(answer["left_out"]), answer["slides"]) == (["b"], 2)
    assert all(line.startswith("hubseg predict: ") for line in told.stderr.splitlines())
    if sys.platform == "linux":
        assert list((tmp_path / "state").rglob("workers.log"))


def test_masks_and_exports_start_nothing_that_maps_or_figures_need(tmp_path: Path) -> None:
    project, out = str(stored_project(tmp_path, "a")), str(tmp_path / "out.csv")
    absent = ["torch", "timm", "distributed", "asyncio", "skimage", "matplotlib", "pandas"]
    program = (
        "import sys\nfrom hubseg.cli import main\n"
        f"assert main(['mask', {project!r}]) == 0\n"
        f"assert main(['export', {project!r}, '--format', 'kaggle-rle', '--out', {out!r}]) == 0\n"
        f"print('loaded:', *(name for name in {absent!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:"
