"""A checkpoint's bytes become a network's tensors at once: the same ones, or none."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from hubseg.inference import load_member
from hubseg.inference.staging import stage
from hubseg.network import build, fold, read_checkpoint
from hubseg.network.fused_layers import foldable
from hubseg.network.stored_tensors import content_of
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution

CPU = torch.device("cpu")
SPECS = [NetworkSpec(encoder=name) for name in ("test_efficientnet", "coat_lite_tiny")]


def recipe_of(spec: NetworkSpec) -> Recipe:
    entry = Entry(network=spec, checkpoint="m_{fold}")
    return Recipe(name="t", folds=(0, 1), resolutions=(Resolution(members=(entry,), size=64),))


@pytest.fixture(params=SPECS, ids=lambda spec: spec.encoder)
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Recipe:
    """Return a recipe of one network, with the files of two folds in the test's folder."""
    for number in (0, 1):
        torch.manual_seed(number)
        state = build(request.param, size=64).state_dict()
        content = {"state_dict": state, "epoch": 3, "best_score": np.float64(0.5)}
        torch.save(content, tmp_path / f"m_{number}")
    return recipe_of(request.param)


def bytes_of(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.fromfile(path, np.uint8))


def test_views_of_the_bytes_are_what_torch_load_gives(tmp_path: Path):
    whole = torch.arange(24, dtype=torch.float32)
    content = {
        "state_dict": {
            "turned": whole.view(4, 6).t()[1:],
            "shared": whole[5:9],
            "half": torch.rand(3, 5).half(),
            "brain": torch.rand(7).bfloat16(),
            "count": torch.tensor(9),
            "flag": torch.tensor([True, False]),
            "none": torch.zeros(0, 3),
            "weight": nn.Parameter(torch.rand(2, 2)),
        },
        "epoch": 7,
        "best_score": np.float64(0.25),
    }
    torch.save(content, tmp_path / "m.pt")
    found: Any = content_of(tmp_path / "m.pt", bytes_of(tmp_path / "m.pt"))
    assert (found["epoch"], found["best_score"]) == (7, 0.25)
    for name, wanted in content["state_dict"].items():
        mine = found["state_dict"][name]
        assert (mine.dtype, mine.stride()) == (wanted.dtype, wanted.stride()), name
        assert torch.equal(mine, wanted), name


def _compressed(path: Path) -> None:
    with zipfile.ZipFile(path) as old:
        records = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, record in records.items():
            new.writestr(name, record)


def _with_pickle(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("m/data.pkl", content)


class Asks:
    def __reduce__(self) -> Any:
        return os.mkdir, ("made by a checkpoint",)


def _reaching(path: Path) -> None:
    """Write a file whose tensor claims more values than its record has."""
    torch.save({"w": torch.zeros(4)}, path)
    with zipfile.ZipFile(path) as old:
        records = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, record in records.items():
            new.writestr(name, record[:8] if "/data/" in name else record)


@pytest.mark.parametrize(
    "harm",
    [
        _compressed,
        _reaching,
        lambda path: _with_pickle(path, pickle.dumps({"w": Asks()})),
        lambda path: _with_pickle(path, b"\x80\x02nonsense"),
        lambda path: path.write_bytes(b"no zip at all"),
    ],
)
def test_any_other_layout_is_left_to_torch_load(
    tmp_path: Path, harm: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.pt"
    torch.save({"w": torch.zeros(4)}, path)
    harm(path)
    assert content_of(path, bytes_of(path)) is None
    assert not (tmp_path / "made by a checkpoint").exists()


def test_bytes_of_another_file_are_not_taken(tmp_path: Path):
    torch.save({"w": torch.zeros(4)}, tmp_path / "m.pt")
    held = bytes_of(tmp_path / "m.pt")[:-1]
    assert content_of(tmp_path / "m.pt", held) is None
    assert read_checkpoint(tmp_path / "m.pt", held).state["w"].shape == (4,)


def test_a_file_is_staged_whole_in_pieces_and_known_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hubseg.inference.staging._PIECE", 1000)
    content = np.random.default_rng(0).integers(0, 255, 12_345, np.uint8).tobytes()
    (tmp_path / "m").write_bytes(content)
    staged = stage(tmp_path / "m", CPU)
    assert staged.held.numpy().tobytes() == content
    assert staged.is_of(tmp_path / "m")
    (tmp_path / "m").write_bytes(content[:-1])
    assert not staged.is_of(tmp_path / "m")


def test_a_network_of_staged_bytes_has_the_bits_of_one_that_was_read(
    recipe: Recipe, tmp_path: Path
):
    member, path = recipe.members()[0], tmp_path / "m_0"
    wanted = load_member(recipe, member, path, CPU).state_dict()
    held = stage(path, CPU).held
    network = load_member(recipe, member, path, CPU, held=held)
    held.zero_()  # its memory is given back: nothing may look there any more
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name
        assert tensor.stride() == wanted[name].stride(), name


def test_norms_are_folded_to_the_bits_of_torchs_own_way():
    torch.manual_seed(0)
    network = build(SPECS[0]).eval()
    with torch.no_grad():
        for tensor in [*network.parameters(), *network.buffers()]:
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.add_(torch.rand_like(tensor))
    modules, pairs, wanted = dict(network.named_modules()), foldable(network), {}
    for one, norm in pairs.items():
        c, n = modules[one], modules[norm]
        given = c.weight, c.bias, n.running_mean, n.running_var, n.eps, n.weight, n.bias
        wanted[one] = fuse_conv_bn_weights(*given)
    assert len(wanted) > 5
    folded = dict(fold(network, norms=pairs, doubling=False).named_modules())
    for name, (weight, bias) in wanted.items():
        assert torch.equal(folded[name].weight, weight), name
        assert torch.equal(folded[name].bias, bias), name


def test_two_files_of_one_structure_share_what_was_compiled(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from torch._dynamo.utils import counters

    compile_it = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda network, **how: compile_it(network, backend="eager", **how)
    )
    torch._dynamo.reset()
    counters.clear()
    image, graphs = torch.rand(1, 3, 64, 64), []
    for member in recipe.members():
        path = tmp_path / member.checkpoint
        network = load_member(recipe, member, path, CPU, compiled=True)
        with torch.inference_mode():
            seen, wanted = network(image), load_member(recipe, member, path, CPU)(image)
        assert torch.equal(seen.logits, wanted.logits)
        graphs.append(counters["stats"]["unique_graphs"])
    assert graphs == [1, 1]
    torch._dynamo.reset()
