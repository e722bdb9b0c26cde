"""Optimisers, rates, frozen encoders, decoder levels of both families, ONNX."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_training import PLAN, write_table

from hubseg.network import build, read_checkpoint
from hubseg.recipe import Entry, NetworkSpec, Resolution
from hubseg.recipe.training_plan import LossPlan, TrainingPlan
from hubseg.training.deep_supervision import DecoderLevels
from hubseg.training.distributed import ProcessGroup
from hubseg.training.fit import train
from hubseg.training.loop import Fit
from hubseg.training.schedule import Schedule, encoder_parameters, make_optimizer, rate
from hubseg.training.sources import labels_of
from hubseg.training.state import save_weights


@given(st.integers(1, 2000), st.integers(0, 300), st.integers(0, 2000))
def test_the_cosine_is_its_formula(steps: int, warm_up: int, step: int):
    plan = TrainingPlan(steps=steps, warm_up=warm_up)
    wanted = 0.5 * (1 + math.cos(math.pi * step / steps))
    wanted *= min(1.0, (step + 1) / warm_up) if warm_up else 1.0
    assert rate(step, plan) == pytest.approx(wanted, abs=1e-12)


def rates(plan: TrainingPlan, losses: list[float]) -> list[float]:
    """Learning rate of each step, where a report follows every step."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=plan.learning_rate)
    schedule = Schedule(plan, optimizer)
    seen = []
    for step, loss in enumerate(losses, 1):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.after_step(step)
        schedule.after_report(step, loss)
    return seen


def test_steps_and_plateaus_fall_by_the_factor():
    step = TrainingPlan(learning_rate=1.0, schedule="step", every=3, factor=0.1, warm_up=0)
    assert rates(step, [1.0] * 7) == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01])
    plateau = step.model_copy(update={"schedule": "plateau", "patience": 2, "factor": 0.5})
    assert rates(plateau, [3, 2, 1, 1, 1, 1, 1])[-2:] == pytest.approx([1, 0.5])
    falling = rates(plateau, [7, 6, 5, 4, 3, 2, 1])
    assert falling == pytest.approx([1] * 7)
    constant = step.model_copy(update={"schedule": "constant", "warm_up": 4})
    assert rates(constant, [1.0] * 6) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])


@pytest.mark.parametrize("name", ["adamw", "sgd", "adan", "lion"])
def test_optimisers_are_found_by_name_and_the_encoder_has_its_own_rate(name: str):
    plan = TrainingPlan(optimizer=name, learning_rate=0.1, encoder_rate=0.01)
    network = build(NetworkSpec(encoder="test_resnet"))
    optimizer = make_optimizer(plan, network, torch.nn.ModuleList())
    by_rate = {group["lr"]: len(group["params"]) for group in optimizer.param_groups}
    inside = len(encoder_parameters(network))
    assert by_rate == pytest.approx({0.1: len(list(network.parameters())) - inside, 0.001: inside})


def test_an_unknown_optimiser_is_refused_with_names():
    network = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"does not know the optimizer 'best'.*adamw"):
        make_optimizer(TrainingPlan(optimizer="best"), network, torch.nn.ModuleList())


@pytest.mark.parametrize(
    ("change", "learns"),
    [({"freeze_encoder": 4}, False), ({"encoder_rate": 0.0}, False), ({}, True)],
    ids=["frozen for all steps", "rate of nought", "free"],
)
def test_a_frozen_encoder_stays_as_it_was(tmp_path: Path, change: dict, learns: bool):
    plan = PLAN.model_copy(update={"training": PLAN.training.model_copy(update=change)})
    member = plan.members([0])[0]
    fresh = Fit(member, plan, ProcessGroup.alone(torch.device("cpu"))).network
    before = {key: value.clone() for key, value in fresh.state_dict().items()}
    list(train(labels_of(write_table(tmp_path)), plan, tmp_path / "run", folds=[0], device="cpu"))
    after = read_checkpoint(tmp_path / "run" / "weights" / "m_0.safetensors").state
    same = [
        torch.equal(before[key].half(), after[key])
        for key in after
        if key.startswith("encoder.") and before[key].is_floating_point()
    ]
    assert any(not equal for equal in same) == learns
    assert not torch.equal(before["res.weight"].half(), after["res.weight"])


FAMILIES = [
    NetworkSpec(encoder="test_resnet"),
    NetworkSpec(kind="smp", architecture="Unet", encoder="tu-test_resnet"),
]


@pytest.mark.parametrize("spec", FAMILIES, ids=["timm_unet", "smp"])
def test_both_families_train_also_on_decoder_levels(spec: NetworkSpec, tmp_path: Path):
    if spec.kind == "smp":
        pytest.importorskip("segmentation_models_pytorch", reason="extra: the smp networks")
    training = PLAN.training.model_copy(update={"loss": LossPlan(deep=0.5), "steps": 2})
    resolution = Resolution(scale=0.5, members=(Entry(network=spec, checkpoint="m_{fold}"),))
    plan = PLAN.model_copy(update={"resolutions": (resolution,), "training": training})
    labels = labels_of(write_table(tmp_path))
    *_, last = train(labels, plan, tmp_path / "run", folds=[0], device="cpu")
    assert last.judged
    network = build(spec)
    levels = DecoderLevels(network, True, crop=64)
    network(torch.zeros(1, 3, 64, 64))
    sides = [made.shape[-1] for made in levels.logits()]
    assert len(sides) >= 2 and sides == sorted(sides) and sides[-1] <= 32


def test_a_network_without_levels_says_so():
    with pytest.raises(ValueError, match=r"loss\.deep"):
        DecoderLevels(torch.nn.Conv2d(3, 1, 1), True, crop=64)


def test_a_member_leaves_as_onnx_that_agrees_with_torch(tmp_path: Path):
    pytest.importorskip("onnx", reason="extra: onnx")
    pytest.importorskip("onnxruntime", reason="extra: onnx")
    from hubseg.training import onnx_export

    member = PLAN.members([0])[0]
    torch.manual_seed(0)
    save_weights(tmp_path / "m_0.safetensors", build(member.network), epoch=1)
    out = tmp_path / "m_0.onnx"
    error = onnx_export.export_onnx(PLAN, member, tmp_path / "m_0.safetensors", out)
    assert out.is_file() and error <= 1e-4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_export, "LARGEST_ERROR", -1.0)
        with pytest.raises(ValueError, match="differ by"):
            onnx_export.export_onnx(PLAN, member, tmp_path / "m_0.safetensors", tmp_path / "b.onnx")
    assert np.all([not p.name.startswith("b") for p in tmp_path.iterdir()])


def test_the_command_writes_every_checkpoint_as_onnx(tmp_path: Path, capsys):
    pytest.importorskip("onnx", reason="extra: onnx")
    pytest.importorskip("onnxruntime", reason="extra: onnx")
    from hubseg.cli import main

    (tmp_path / "r.yaml").write_text(PLAN.to_yaml())
    for member in PLAN.members():
        torch.manual_seed(member.fold)
        path = tmp_path / f"{member.checkpoint}.safetensors"
        save_weights(path, build(member.network), epoch=1)
    asked = ["recipe", "onnx", "--recipe", str(tmp_path / "r.yaml"), "--weights", str(tmp_path)]
    assert main([*asked, "--out", str(tmp_path / "out"), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [Path(row["file"]).name for row in files] == ["m_0.onnx", "m_1.onnx"]
    assert all(row["largest_error"] <= 1e-4 and Path(row["file"]).is_file() for row in files)
    assert main(asked) == 1
    assert "name a folder with --out" in capsys.readouterr().err
