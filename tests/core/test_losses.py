"""Losses by their formulas, and gradients that stay finite where masks are empty or full."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hubseg.network import Prediction
from hubseg.recipe.training_plan import LossPlan
from hubseg.training.losses import (
    at_size_of,
    bce,
    focal,
    lovasz_hinge,
    mask_loss,
    organ_loss,
    pixel_size_loss,
    soft_dice,
    total_loss,
    tversky,
)

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
SEEDS = st.integers(0, 10_000)


def arrays(seed: int, *, hard: bool = False) -> Arrays:
    """Logits, target and weight (2, 1, 5, 6), float64; some pixels are left out."""
    random = np.random.default_rng(seed)
    logits, target = random.normal(0, 3, (2, 1, 5, 6)), random.random((2, 1, 5, 6))
    weight = random.choice([0.0, 0.5, 1.0, 3.0], (2, 1, 5, 6))
    weight[0, 0, 0, 0] = 1.0
    return logits, (target > random.random()).astype(float) if hard else target, weight


def tensors(given_arrays: Arrays) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor(a, dtype=torch.float32) for a in given_arrays)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def bce_formula(x: np.ndarray, t: np.ndarray, w: np.ndarray) -> float:
    p = sigmoid(x)
    return float((w * -(t * np.log(p) + (1 - t) * np.log(1 - p))).sum() / w.sum())


def dice_formula(x: np.ndarray, t: np.ndarray, w: np.ndarray) -> float:
    p = sigmoid(x)
    return float(1 - (2 * (w * p * t).sum() + 1) / ((w * p).sum() + (w * t).sum() + 1))


def tversky_formula(x: np.ndarray, t: np.ndarray, w: np.ndarray) -> float:
    p = sigmoid(x)
    found = (w * p * t).sum()
    false, missed = (w * p * (1 - t)).sum(), (w * (1 - p) * t).sum()
    return float(1 - (found + 1) / (found + 0.3 * false + 0.7 * missed + 1))


def focal_formula(x: np.ndarray, t: np.ndarray, w: np.ndarray) -> float:
    p = sigmoid(x)
    entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    return float((w * np.abs(t - p) ** 2 * entropy).sum() / w.sum())


def lovasz_formula(x: np.ndarray, t: np.ndarray, w: np.ndarray) -> float:
    """Hinge errors in order, each times what its pixel adds to the Jaccard loss."""
    inside, errors = t.ravel() > 0.5, (1 - x * np.where(t > 0.5, 1, -1)).ravel()
    weight, wrong, before, summed = w.ravel(), np.zeros(t.size, bool), 0.0, 0.0
    for i in np.argsort(-errors, kind="stable"):
        wrong[i] = True
        either = (weight * (inside | wrong)).sum()
        now = (weight * wrong).sum() / either if either else 0.0
        summed += max(errors[i], 0.0) * (now - before)
        before = now
    return float(summed)


LOSSES: list[tuple[Callable[..., torch.Tensor], Callable[..., float]]] = [
    (bce, bce_formula),
    (soft_dice, dice_formula),
    (tversky, tversky_formula),
    (focal, focal_formula),
    (lovasz_hinge, lovasz_formula),
]
EACH = pytest.mark.parametrize(("loss", "formula"), LOSSES, ids=lambda f: f.__name__)


@EACH
@given(seed=SEEDS)
def test_a_loss_is_its_formula(loss, formula, seed: int):
    made = arrays(seed)
    assert float(loss(*tensors(made))) == pytest.approx(formula(*made), rel=2e-4, abs=1e-5)


@EACH
@given(seed=SEEDS)
def test_a_pixel_of_weight_nought_does_not_exist(loss, formula, seed: int):
    logits, target, weight = tensors(arrays(seed))
    other = torch.where(weight > 0, logits, -logits * 7)
    torch.testing.assert_close(loss(other, target, weight), loss(logits, target, weight))
    kept = (weight > 0).flatten()
    some = [values.flatten()[kept][None, None, None] for values in (logits, target, weight)]
    torch.testing.assert_close(loss(*some), loss(logits, target, weight))


@EACH
def test_where_nothing_counts_nothing_is_learnt(loss, formula):
    logits, target, weight = tensors(arrays(0))
    logits.requires_grad_(True)
    loss(logits, target, weight * 0).backward()
    assert logits.grad is not None and not logits.grad.any()


@EACH
@pytest.mark.parametrize("fill", [0.0, 1.0], ids=["all empty", "all full"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("size", [0.0, 3.0, 60.0, 6e4])
def test_gradients_are_finite(loss, formula, fill: float, dtype: torch.dtype, size: float):
    random = torch.Generator().manual_seed(1)
    logits = (torch.randn(2, 1, 8, 8, generator=random).clamp(-1, 1) * size).to(dtype)
    logits.requires_grad_(True)
    value = loss(logits, torch.full((2, 1, 8, 8), fill))
    value.backward()
    assert value.dtype == torch.float32 and torch.isfinite(value)
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


@given(seed=SEEDS)
def test_segmentation_models_pytorch_agrees(seed: int):
    smp = pytest.importorskip("segmentation_models_pytorch", reason="extra: the smp networks")
    logits, target, _ = tensors(arrays(seed, hard=True))
    target[0, 0, 0, 0] = 1.0  # its Dice and Tversky are 0 by definition where nothing is inside
    losses = smp.losses
    for ours, theirs in (
        (bce(logits, target), losses.SoftBCEWithLogitsLoss()),
        (soft_dice(logits, target), losses.DiceLoss("binary", smooth=0.5)),  # theirs is added to TP
        (tversky(logits, target), losses.TverskyLoss("binary", smooth=1.0, alpha=0.3, beta=0.7)),
        (focal(logits, target), losses.FocalLoss("binary", gamma=2.0)),
        (lovasz_hinge(logits, target), losses.LovaszLoss("binary", per_image=False)),
    ):
        torch.testing.assert_close(ours, theirs(logits, target), rtol=2e-4, atol=1e-5)


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=5, max_size=5), SEEDS)
def test_the_plan_sums_what_it_names(weights: list[float], seed: int):
    names = ("bce", "dice", "tversky", "focal", "lovasz")
    if not sum(weights):
        with pytest.raises(ValidationError, match="every loss on the mask is 0"):
            LossPlan(**dict(zip(names, weights, strict=True)))
        return
    plan = LossPlan(**dict(zip(names, weights, strict=True)))
    made = tensors(arrays(seed))
    wanted = sum(w * float(loss(*made)) for w, (loss, _) in zip(weights, LOSSES, strict=True))
    assert float(mask_loss(plan, *made)) == pytest.approx(wanted, rel=1e-5)


def test_the_heads_losses_are_their_formulas_and_unknown_facts_do_not_count():
    random = np.random.default_rng(0)
    logits, organ = random.normal(0, 2, (3, 5)), np.array([2, -1, 4])
    each = [
        -np.mean([np.log(sigmoid(v if j == o else -v)) for j, v in enumerate(row)])
        for row, o in zip(logits, organ, strict=True)
    ]
    given_logits = torch.tensor(logits, dtype=torch.float32)
    got = organ_loss(given_logits, torch.tensor(organ))
    assert float(got) == pytest.approx((each[0] + each[2]) / 2, rel=1e-5)
    assert float(organ_loss(given_logits, torch.full((3,), -1))) == 0.0
    sizes = torch.tensor([0.2, np.nan, 0.1])
    answer = torch.tensor([[0.1], [0.5], [0.4]], requires_grad=True)
    loss = pixel_size_loss(answer, sizes)
    assert float(loss.detach()) == pytest.approx((0.1**2 + 0.3**2) / 2, rel=1e-5)
    loss.backward()
    assert answer.grad is not None and torch.isfinite(answer.grad).all() and answer.grad[1] == 0


@given(seed=SEEDS)
def test_the_total_is_the_mask_the_levels_and_the_heads(seed: int):
    torch.manual_seed(seed)
    target, weight = torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16)
    answer = Prediction(torch.randn(2, 1, 8, 8), torch.randn(2, 5), torch.rand(2, 1))
    levels = [torch.randn(2, 1, 2, 2), torch.randn(2, 1, 4, 4)]
    organ, size = torch.tensor([0, -1]), torch.tensor([0.1, 0.2])
    plan = LossPlan(deep=0.4, organ=0.1, pixel_size=0.2)
    got = total_loss(plan, answer, target, weight, organ=organ, pixel_size=size, levels=levels)
    wanted = (
        mask_loss(plan, answer.logits, *at_size_of(answer.logits, target, weight))
        + 0.4 * mask_loss(plan, levels[1], *at_size_of(levels[1], target, weight))
        + 0.2 * mask_loss(plan, levels[0], *at_size_of(levels[0], target, weight))
        + 0.1 * organ_loss(answer.organ, organ)
        + 0.2 * pixel_size_loss(answer.pixel_size, size)
    )
    torch.testing.assert_close(got, wanted)


def test_targets_shrink_by_the_mean_of_the_pixels_that_count():
    target = torch.tensor([[1.0, 0.0], [1.0, 1.0]])[None, None]
    weight = torch.tensor([[1.0, 0.0], [2.0, 1.0]])[None, None]
    small, counted = at_size_of(torch.zeros(1, 1, 1, 1), target, weight)
    assert (float(small), float(counted)) == (1.0, 1.0)
    assert float(at_size_of(torch.zeros(1, 1, 1, 1), target)[0]) == 0.75


def test_a_network_without_the_head_that_a_loss_needs_is_named():
    answer = Prediction(torch.zeros(1, 1, 4, 4), None, None)
    target, organ, size = torch.zeros(1, 1, 4, 4), torch.zeros(1).long(), torch.ones(1)
    with pytest.raises(ValueError, match="no head for the loss 'organ'"):
        total_loss(LossPlan(organ=0.1), answer, target, None, organ=organ, pixel_size=size)
