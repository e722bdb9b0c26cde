"""Networks and checkpoints: published names, strict loading, and nothing hostile ever runs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hubseg.network import build, load_into, read_checkpoint
from hubseg.recipe import NetworkSpec

FIVE = NetworkSpec(encoder="test_efficientnet")
FOUR = NetworkSpec(encoder="test_convnext")


@pytest.mark.parametrize(("spec", "levels"), [(FIVE, 5), (FOUR, 4)])
def test_the_published_names_are_used(spec: NetworkSpec, levels: int):
    names = {key.split(".")[0] for key in build(spec).state_dict()}
    wanted = {"conv6", "conv6_2", "conv7", "conv7_2", "conv8", "conv8_2", "conv9", "conv10"}
    wanted |= {"res", "cls", "pix_sz", "encoder"}
    assert names == wanted | ({"conv9_2"} if levels == 5 else set())


def save(path: Path, state: dict[str, torch.Tensor], **more: Any) -> Path:
    content = {"epoch": 3, "state_dict": state, "best_score": np.float64(0.75)} | more
    torch.save(content, path)
    return path


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return build(FIVE).state_dict()


def test_published_file_tells_its_epoch_and_score(tmp_path: Path, state: dict[str, torch.Tensor]):
    checkpoint = read_checkpoint(save(tmp_path / "m_0_best", state))
    assert (checkpoint.epoch, checkpoint.best_score) == (3, 0.75)


def test_parallel_prefix_is_taken_off(tmp_path: Path, state: dict[str, torch.Tensor]):
    prefixed = {f"module.{key}": tensor for key, tensor in state.items()}
    load_into(build(FIVE), read_checkpoint(save(tmp_path / "m.pth", prefixed)))


def test_a_bare_state_dict_loads(tmp_path: Path, state: dict[str, torch.Tensor]):
    torch.save(state, tmp_path / "m.pth")
    load_into(build(FIVE), read_checkpoint(tmp_path / "m.pth"))


def test_safetensors_load_with_what_they_say(tmp_path: Path, state: dict[str, torch.Tensor]):
    path = tmp_path / "m.safetensors"
    save_file(
        {k: v.contiguous() for k, v in state.items()},
        path,
        metadata={"epoch": "7", "best_score": "0.5"},
    )
    checkpoint = read_checkpoint(path)
    assert (checkpoint.epoch, checkpoint.best_score) == (7, 0.5)
    load_into(build(FIVE), checkpoint)


def test_both_spellings_of_the_numpy_scalar_load(shared_data: Path):
    for fold in (0, 1):
        path = shared_data / "golden" / "weights" / f"test_convnext_g_e3_{fold}_best"
        assert read_checkpoint(path).best_score == pytest.approx(0.83, abs=0.02)


class Hostile:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_hostile_file_is_refused_and_nothing_in_it_runs(tmp_path: Path, how: str):
    target, path = tmp_path / "made", tmp_path / "evil_0_best"
    content = {"state_dict": {}, "epoch": Hostile(target)}
    if how == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="evil_0_best") as refused:
        read_checkpoint(path)
    assert not target.exists()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.98])
@pytest.mark.parametrize("ending", ["", ".safetensors"])
def test_a_truncated_file_is_refused_by_name(
    tmp_path: Path, state: dict[str, torch.Tensor], share: float, ending: str
):
    path = tmp_path / f"short_0_best{ending}"
    if ending:
        save_file({k: v.contiguous() for k, v in state.items()}, path)
    else:
        save(path, state)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match="short_0_best") as refused:
        read_checkpoint(path)
    assert "\n" not in str(refused.value)


def test_an_absent_file_is_named_with_its_folder(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="m_0_best was not found in"):
        read_checkpoint(tmp_path / "m_0_best")


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"a": 3}}])
def test_a_file_without_tensors_is_no_checkpoint(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "m.pth")
    with pytest.raises(ValueError, match="not a checkpoint"):
        read_checkpoint(tmp_path / "m.pth")


def drop(state: dict[str, torch.Tensor]) -> None:
    del state["res.bias"]


def add(state: dict[str, torch.Tensor]) -> None:
    state["extra.weight"] = torch.zeros(1)


def reshape(state: dict[str, torch.Tensor]) -> None:
    state["res.weight"] = torch.zeros(2, 32, 1, 1)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (drop, "1 missing (res.bias)"),
        (add, "1 unexpected (extra.weight)"),
        (reshape, "1 of another shape (res.weight)"),
    ],
)
def test_a_checkpoint_loads_whole_or_not_at_all(
    tmp_path: Path, state: dict[str, torch.Tensor], damage: Any, said: str
):
    network = build(FIVE)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    state = dict(state)
    damage(state)
    with pytest.raises(ValueError, match="does not fit") as refused:
        load_into(network, read_checkpoint(save(tmp_path / "m_0_best", state)))
    assert said in str(refused.value)
    assert "m_0_best" in str(refused.value)
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[key])


def test_a_file_of_another_encoder_is_refused(tmp_path: Path, state: dict[str, torch.Tensor]):
    with pytest.raises(ValueError, match="Check the recipe's encoder"):
        load_into(build(FOUR), read_checkpoint(save(tmp_path / "m_0_best", state)))
