"""What training minimises: losses on logits, each with a weight per pixel, and their sum.

Responsible for the formulas; does not know networks or data. A pixel's weight says how much it
counts: 0 leaves it out altogether (the ignore band, a structure that nobody has marked), more than
1 is for labels that people drew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from hubseg.recipe.channels import ONE_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from hubseg.network import Prediction
    from hubseg.recipe import Channels
    from hubseg.recipe.training_plan import LossPlan

__all__ = [
    "at_size_of",
    "bce",
    "cross_entropy",
    "focal",
    "lovasz_hinge",
    "mask_loss",
    "organ_loss",
    "pixel_size_loss",
    "soft_dice",
    "structures_loss",
    "total_loss",
    "tversky",
]

_AUXILIARY = 0.5
"""How much a head counts that is there for training alone, as torchvision's own training has it."""


def _counted(logits: Tensor, weight: Tensor | None) -> Tensor:
    return torch.ones_like(logits, dtype=torch.float32) if weight is None else weight.float()


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean by weight; 0 where nothing counts."""
    return (values * weight).sum() / weight.sum().clamp_min(1e-6)


def bce(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean binary cross-entropy: Σw(-t ln p - (1-t) ln(1-p)) / Σw.

    Parameters
    ----------
    logits, target, weight
        (B, 1, h, w); target in 0-1, weight at least 0 and 1 everywhere by default.
    """
    each = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    return _mean(each, _counted(logits, weight))


def soft_dice(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, *, smooth: float = 1.0
) -> Tensor:
    """1 - soft Dice of the batch as one image: 1 - (2Σwpt + s) / (Σwp + Σwt + s).

    Parameters
    ----------
    logits, target, weight
        (B, 1, h, w); target in 0-1, weight at least 0.
    smooth
        Added above and below, in px: keeps empty images finite and their loss near 0.
    """
    weight, probability = _counted(logits, weight), torch.sigmoid(logits.float())
    both = (weight * probability * target).sum()
    either = (weight * probability).sum() + (weight * target).sum()
    return 1.0 - (2.0 * both + smooth) / (either + smooth)


def tversky(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
) -> Tensor:
    """1 - Tversky index: 1 - (TP + s) / (TP + α FP + β FN + s), with soft, weighted counts.

    α = β = ½ is soft Dice. Source: Salehi et al., 2017.
    """
    weight, probability = _counted(logits, weight), torch.sigmoid(logits.float())
    found = (weight * probability * target).sum()
    false = (weight * probability * (1.0 - target)).sum()
    missed = (weight * (1.0 - probability) * target).sum()
    return 1.0 - (found + smooth) / (found + alpha * false + beta * missed + smooth)


def focal(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, *, gamma: float = 2.0
) -> Tensor:
    """Mean focal loss Σw |t-p|^γ BCE / Σw; for hard targets (1-p_t)^γ · -ln p_t.

    Source: Lin et al., 2017; the form for soft targets is that of Li et al., 2020.
    """
    values = logits.float()
    each = F.binary_cross_entropy_with_logits(values, target, reduction="none")
    far = (target - torch.sigmoid(values)).abs()
    return _mean(far.pow(gamma) * each, _counted(logits, weight))


def lovasz_hinge(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Lovász extension of the weighted Jaccard loss of the batch as one image, on hinge errors.

    Targets count as inside above ½. Weight 0 is the same as leaving the pixel out. Source: Berman
    et al., 2018.
    """
    inside = (target > 0.5).float().flatten()
    errors = 1.0 - logits.float().flatten() * (2.0 * inside - 1.0)
    counted = _counted(logits, weight).flatten()
    errors, order = torch.sort(errors, descending=True)
    inside, counted = inside[order], counted[order]
    whole = (inside * counted).sum()
    both = whole - (inside * counted).cumsum(0)
    union = whole + ((1.0 - inside) * counted).cumsum(0)
    jaccard = torch.where(union > 0, 1.0 - both / union.clamp_min(1e-6), 0.0)
    steps = torch.diff(jaccard, prepend=jaccard.new_zeros(1))
    return torch.dot(torch.relu(errors), steps)


def mask_loss(
    plan: LossPlan, logits: Tensor, target: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Sum the plan's losses on one mask, each by its weight."""
    summed = logits.new_zeros((), dtype=torch.float32)
    if plan.bce:
        summed = summed + plan.bce * bce(logits, target, weight)
    if plan.dice:
        summed = summed + plan.dice * soft_dice(logits, target, weight)
    if plan.tversky:
        alpha, beta = plan.tversky_false, plan.tversky_missed
        summed = summed + plan.tversky * tversky(logits, target, weight, alpha=alpha, beta=beta)
    if plan.focal:
        summed = summed + plan.focal * focal(logits, target, weight, gamma=plan.focal_gamma)
    if plan.lovasz:
        summed = summed + plan.lovasz * lovasz_hinge(logits, target, weight)
    return summed


def cross_entropy(logits: Tensor, shares: Tensor, weight: Tensor) -> Tensor:
    """Mean cross-entropy of outputs that share a pixel: -Σ w s ln p / Σ w s, p of the softmax.

    Parameters
    ----------
    logits, shares
        (B, N, h, w); the shares of a pixel sum to 1.
    weight
        (B, N, h, w), at least 0: of the pixel, times that of the output.
    """
    counted = weight.float() * shares
    return -(counted * torch.log_softmax(logits.float(), 1)).sum() / counted.sum().clamp_min(1e-6)


def structures_loss(
    plan: LossPlan,
    channels: Channels,
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
) -> Tensor:
    """Return the loss on the masks of all structures that a network marks.

    Of outputs that may overlap, the mean of each one's losses, by the plan's weight of each
    structure. Where they exclude each other, the plan's `bce` is the weight of the cross-entropy of
    all outputs, and the other losses are taken on each structure against all the rest.

    Parameters
    ----------
    logits
        (B, N, h, w), one for each output.
    target, weight
        (B, structures, h, w): target in 0-1, weight at least 0 and 1 everywhere by default.
    """
    if channels.outputs == 1:
        return mask_loss(plan, logits, target, weight)
    weight, names = _counted(target, weight), channels.structures
    shares = [float(plan.structures.get(name, 1.0)) for name in names]
    summed = logits.new_zeros((), dtype=torch.float32)
    if channels.activation == "softmax":
        summed = _shared(plan, channels, shares, logits, target, weight)
        plan, logits = plan.model_copy(update={"bce": 0.0}), _against_the_rest(logits, channels)
    for i, share in enumerate(shares):
        own = (values[:, i : i + 1] for values in (logits, target, weight))
        summed = summed + share / sum(shares) * mask_loss(plan, *own)
    return summed


def _shared(
    plan: LossPlan,
    channels: Channels,
    shares: Sequence[float],
    logits: Tensor,
    target: Tensor,
    weight: Tensor,
) -> Tensor:
    """Return the cross-entropy of all outputs, each pixel by the weight that its structures share.

    What is no structure is the background's, or counts nowhere where there is no output for it.
    """
    if not plan.bce:
        return logits.new_zeros((), dtype=torch.float32)
    pixel = weight.amax(1, keepdim=True)
    marked = target.sum(1, keepdim=True)
    wanted = target / marked.clamp_min(1.0)
    of_output = dict(zip(channels.kept, range(len(channels.kept)), strict=True))
    planes, factors = [], []
    for output in range(channels.outputs):
        place = of_output.get(output)
        planes.append((1.0 - marked).clamp_min(0.0) if place is None else wanted[:, place, None])
        factors.append(1.0 if place is None else shares[place])
    factor = torch.tensor(factors, device=logits.device).view(1, -1, 1, 1)
    return plan.bce * cross_entropy(logits, torch.cat(planes, 1), pixel * factor)


def _against_the_rest(logits: Tensor, channels: Channels) -> Tensor:
    """Return the logit of each structure's share: ln p - ln (1 - p), p of the softmax."""
    values = logits.float()
    made = []
    for output in channels.kept:
        rest = torch.cat([values[:, :output], values[:, output + 1 :]], 1)
        made.append(values[:, output] - torch.logsumexp(rest, 1))
    return torch.stack(made, 1)


def at_size_of(
    logits: Tensor, target: Tensor, weight: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Average target and weight (B, N, h, w) to the size of `logits`, pixels by their weight."""
    size = (logits.shape[-2], logits.shape[-1])
    if target.shape[-2:] == size:
        return target, weight
    if weight is None:
        return F.adaptive_avg_pool2d(target, size), None
    counted = F.adaptive_avg_pool2d(weight, size)
    return F.adaptive_avg_pool2d(target * weight, size) / counted.clamp_min(1e-6), counted


def organ_loss(logits: Tensor, organ: Tensor) -> Tensor:
    """Binary cross-entropy of organ logits (B, 5) against one-hot organs, as published.

    Parameters
    ----------
    organ
        int64 (B,): place in :data:`hubseg.organ.ORGANS`; below 0 where it is not known, which
        does not count.
    """
    known = organ >= 0
    wanted = F.one_hot(organ.clamp_min(0), logits.shape[1]).float()
    each = F.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="none").mean(1)
    return _mean(each, known.float())


def pixel_size_loss(answer: Tensor, pixel_size: Tensor) -> Tensor:
    """Mean squared error of the pixel-size head (B, 1) against µm/px of the input / 10, (B,).

    NaN stands where the pixel size is not known, which does not count.
    """
    known = torch.isfinite(pixel_size)
    wanted = torch.where(known, pixel_size, torch.zeros_like(pixel_size))
    return _mean((answer.float()[:, 0] - wanted).square(), known.float())


def total_loss(
    plan: LossPlan,
    answer: Prediction,
    target: Tensor,
    weight: Tensor | None,
    *,
    organ: Tensor,
    pixel_size: Tensor,
    levels: Sequence[Tensor] = (),
    channels: Channels = ONE_OUTPUT,
) -> Tensor:
    """Weighted sum of everything the plan asks for.

    Parameters
    ----------
    target, weight
        float32 (B, structures, h, w) at the input's size; averaged to that of each answer.
    levels
        Logits (B, N, h', w') of coarser decoder levels, coarsest first; each counts half as much
        as the next finer one.
    channels
        What the N outputs are.

    Raises
    ------
    ValueError
        When the plan asks for a head that the network does not have.
    """

    def on_masks(logits: Tensor) -> Tensor:
        return structures_loss(plan, channels, logits, *at_size_of(logits, target, weight))

    summed = on_masks(answer.logits)
    share = plan.deep
    for logits in reversed(levels):
        summed = summed + share * on_masks(logits)
        share = share / 2.0
    if answer.auxiliary is not None:
        summed = summed + _AUXILIARY * on_masks(answer.auxiliary)
    if plan.organ:
        summed = summed + plan.organ * organ_loss(_head(answer.organ, "organ"), organ)
    if plan.pixel_size:
        head = _head(answer.pixel_size, "pixel_size")
        summed = summed + plan.pixel_size * pixel_size_loss(head, pixel_size)
    return summed


def _head(answer: Tensor | None, name: str) -> Tensor:
    if answer is None:
        raise ValueError(
            f"The network has no head for the loss {name!r}: set `training.loss.{name}` to 0."
        )
    return answer
