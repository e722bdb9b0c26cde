"""Best scores as weights: read without torch, refused where they are missing."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hubseg.probability import MemberMap, mix
from hubseg.recipe import Recipe, best_score, find_checkpoints, with_scores

TEXT = """
name: scored
folds: [0, 1]
resolutions:
  - scale: 0.5
    members:
      - {network: {encoder: test_resnet}, checkpoint: "m_{fold}", weight: best_score}
"""


def write(path: Path, score: Any, *, old: bool = False) -> Path:
    state = {"state_dict": {"a.weight": torch.zeros(3, 3)}, "epoch": 4}
    content = state if score is None else state | {"best_score": score}
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("score", [0.75, np.float64(0.75)])
def test_the_score_is_read_from_torch_files_new_and_old(tmp_path: Path, score: Any, old: bool):
    assert best_score(write(tmp_path / "m_0", score, old=old)) == 0.75


def test_the_score_is_read_from_published_files_of_either_numpy(shared_data: Path):
    for fold in (0, 1):
        path = shared_data / "golden" / "weights" / f"test_convnext_g_e3_{fold}_best"
        assert best_score(path) == pytest.approx(0.83, abs=0.02)


def test_the_score_is_read_from_safetensors(tmp_path: Path):
    path = tmp_path / "m_0.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata={"best_score": "0.5"})
    assert best_score(path) == 0.5


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x80\x02.", pickle.dumps([1, 2])])
@pytest.mark.parametrize("ending", ["", ".safetensors"])
def test_a_file_that_tells_no_score_gives_none(tmp_path: Path, content: bytes, ending: str):
    path = tmp_path / f"m_0{ending}"
    path.write_bytes(content)
    assert best_score(path) is None


class Hostile:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("old", [False, True])
def test_reading_a_score_runs_nothing_in_the_file(tmp_path: Path, old: bool):
    path = tmp_path / "m_0"
    content = {"best_score": 0.5, "epoch": Hostile(tmp_path / "made")}
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    assert best_score(path) == 0.5
    assert not (tmp_path / "made").exists()


def test_scores_become_weights_and_are_recorded(tmp_path: Path):
    write(tmp_path / "m_0", 0.75)
    write(tmp_path / "m_1", 0.25)
    recipe = Recipe.from_yaml(TEXT)
    assert recipe.needs_scores
    weighed = with_scores(recipe, find_checkpoints(recipe.members(), [tmp_path]))
    assert [m.weight for m in weighed.members()] == [0.75, 0.25]
    again = Recipe.from_yaml(weighed.to_yaml())
    assert again == weighed
    assert not again.needs_scores
    maps = [MemberMap(np.full((8, 8), v, np.float32)) for v in (1.0, 0.0)]
    mixed = mix(
        again, list(zip(again.members(), maps, strict=True)), shape=(16, 16), slide_digest=""
    )
    np.testing.assert_allclose(mixed.values, 0.75 * 255, rtol=1e-5)


@pytest.mark.parametrize("score", [None, 0.0, float("nan")])
def test_a_missing_score_is_refused_by_file(tmp_path: Path, score: float | None):
    write(tmp_path / "m_0", 0.75)
    write(tmp_path / "m_1", score)
    recipe = Recipe.from_yaml(TEXT)
    with pytest.raises(ValueError, match="m_1 says no best_score") as refused:
        with_scores(recipe, find_checkpoints(recipe.members(), [tmp_path]))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("weight", "said"),
    [("0", "weight"), ("-1", "weight"), ("worst", "weight"), ("{0: 0}", "greater than 0")],
)
def test_a_weight_that_is_none_is_refused(weight: str, said: str):
    with pytest.raises(ValueError, match=said):
        Recipe.from_yaml(TEXT.replace("best_score", weight))


def test_a_table_of_weights_lacks_no_fold():
    recipe = Recipe.from_yaml(TEXT.replace("best_score", "{0: 0.5}"))
    assert recipe.members([0])[0].weight == 0.5
    with pytest.raises(ValueError, match="no weight for fold 1"):
        recipe.members()


def test_a_score_is_read_without_torch(tmp_path: Path):
    path = write(tmp_path / "m_0", np.float64(0.75))
    program = (
        "import sys, pathlib; from hubseg.recipe import best_score;"
        f"print(best_score(pathlib.Path({str(path)!r})), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["0.75", "False"]
