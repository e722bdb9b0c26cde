"""Whether a checkpoint fits a network, tensor by tensor.

Responsible for the spellings of names that are known, for loading all of a file or nothing, and for
refusing what does not fit or holds no numbers. Does not know how files are read or networks made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from hubseg.network.checkpoint import read_checkpoint
from hubseg.network.deeplab import AUXILIARY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from hubseg.network.checkpoint import Checkpoint

__all__ = ["check_checkpoint", "fit", "fitting", "load_into", "look_at_numbers", "some"]

# The layers that have one filter for each output.
_LAST = ("res.", "outc.conv.", "classifier.4.", f"{AUXILIARY}.4.", "network.segmentation_head.")


def check_checkpoint(path: Path, wanted: Mapping[str, torch.Size] | None = None) -> tuple[str, ...]:
    """Read a checkpoint as a run would, build nothing, and return the notes there are on it.

    Parameters
    ----------
    wanted
        The shape of every tensor of the network, by key; None where they are not compared.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the run would refuse it: what it is instead, what does not fit, or which tensor holds
        NaN or infinity.
    """
    checkpoint = read_checkpoint(path)
    if wanted is not None:
        fitting(wanted, checkpoint)
    else:
        look_at_numbers(checkpoint)
    return checkpoint.notes


def look_at_numbers(checkpoint: Checkpoint) -> None:
    """Refuse NaN and infinity, which would make every map of the network nothing.

    Raises
    ------
    ValueError
        When a tensor holds one; the first is named, with its count.
    """
    if _are_finite_on_device(list(checkpoint.state.values())):
        return
    for name, tensor in checkpoint.state.items():
        if not tensor.is_floating_point() or tensor.numel() == 0:
            continue
        # a sum passes NaN and infinity on, and needs no second tensor; it may overflow by itself
        if torch.isfinite(tensor.sum(dtype=torch.float32)):
            continue
        wrong = int((~torch.isfinite(tensor)).sum())
        if wrong:
            what = "NaN" if torch.isnan(tensor).any() else "infinity"
            raise ValueError(
                f"Checkpoint {checkpoint.path} holds {what} in {name} ({wrong} of "
                f"{tensor.numel()} values): its training went wrong, take an earlier one."
            )


def _are_finite_on_device(tensors: list[Tensor]) -> bool:
    """Tell whether all are on a GPU and surely finite: the answer of each would be waited for."""
    previewed_step = [one for one in tensors if one.is_floating_point() and one.numel()]
    if not previewed_step or not all(one.is_cuda for one in previewed_step):
        return False
    norms = [one.float() for one in torch._foreach_norm(previewed_step)]
    return bool(torch.isfinite(torch.stack(norms)).all())


def _respelled(state: Mapping[str, Tensor], change: Callable[[str], str]) -> dict[str, Tensor]:
    return {change(key): tensor for key, tensor in state.items()}


def _model_in(key: str) -> str:
    """Spell a published CoaT key as timm's wrapper does: ``encoder.x`` is ``encoder.model.x``."""
    if not key.startswith("encoder.") or key.startswith("encoder.model."):
        return key
    return "encoder.model." + key.removeprefix("encoder.")


def _as_encoder(key: str) -> str:
    """Spell torchvision's key as ours: ``backbone.x`` is ``encoder.x``."""
    return f"encoder.{key.removeprefix('backbone.')}" if key.startswith("backbone.") else key


def fit(
    wanted: Mapping[str, torch.Size], checkpoint: Checkpoint
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """Spell a checkpoint's keys as a network does and compare them.

    Known spellings: published CoaT files lack timm's ``encoder.model.``; torchvision's files have
    ``backbone.``; files of segmentation_models_pytorch lack our ``network.``. A head for training
    alone is passed over where the network has none.

    Parameters
    ----------
    wanted
        The shape of every tensor of the network, by key.

    Returns
    -------
    state
        The file's tensors under the network's names.
    problems
        Keys that are ``missing``, ``unexpected`` or ``of another shape``; all empty when it fits.
    """
    spellings: tuple[Callable[[str], str], ...] = (
        str,
        _model_in,
        _as_encoder,
        lambda key: f"network.{key}",
    )
    if checkpoint.state.keys() == wanted.keys():
        spellings = spellings[:1]
    state = max(
        (_respelled(checkpoint.state, spelling) for spelling in spellings),
        key=lambda spelled: len(wanted.keys() & spelled.keys()),
    )
    if not any(key.startswith(f"{AUXILIARY}.") for key in wanted):
        state = {k: tensor for k, tensor in state.items() if not k.startswith(f"{AUXILIARY}.")}
    both = wanted.keys() & state.keys()
    return state, {
        "missing": sorted(wanted.keys() - state.keys()),
        "unexpected": sorted(state.keys() - wanted.keys()),
        "of another shape": sorted(key for key in both if wanted[key] != state[key].shape),
    }


def load_into(
    network: nn.Module, checkpoint: Checkpoint, device: torch.device | None = None
) -> None:
    """Load every tensor of `checkpoint`, or none.

    Parameters
    ----------
    device
        Where the tensors of a network from :func:`hubseg.network.blank` are put; default: the CPU.

    Raises
    ------
    ValueError
        When keys are missing, unexpected or of another shape, or a tensor holds NaN or infinity;
        the message names them.
    """
    own = network.state_dict()
    state = fitting({key: tensor.shape for key, tensor in own.items()}, checkpoint)
    empty = any(tensor.is_meta for tensor in own.values())
    if empty:  # copies: a mapped file may change while the network is kept
        state = {
            key: tensor.to(device or "cpu", own[key].dtype, copy=True)
            for key, tensor in state.items()
        }
    network.load_state_dict(state, strict=True, assign=empty)


def fitting(wanted: Mapping[str, torch.Size], checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return a checkpoint's tensors under a network's names.

    Parameters
    ----------
    wanted
        The shape of every tensor of the network, by key.

    Raises
    ------
    ValueError
        When keys are missing, unexpected or of another shape, or a tensor holds NaN or infinity;
        the message names them.
    """
    state, problems = fit(wanted, checkpoint)
    said = [f"{len(keys)} {what} ({some(keys)})" for what, keys in problems.items() if keys]
    if counts := _outputs(wanted, state, problems):
        raise ValueError(
            f"Checkpoint {checkpoint.path} has {counts[0]} outputs and the recipe's classes are "
            f"{counts[1]}: name what each output is, in the file's order, under `classes`."
        )
    if said:
        raise ValueError(
            f"Checkpoint {checkpoint.path} does not fit the network: {'; '.join(said)}. "
            "Check the recipe's encoder for this file."
        )
    look_at_numbers(checkpoint)
    return state


def _outputs(
    wanted: Mapping[str, torch.Size],
    state: Mapping[str, Tensor],
    problems: Mapping[str, Sequence[str]],
) -> tuple[int, int] | None:
    """Return how many outputs file and network have where that alone is the difference."""
    other = problems["of another shape"]
    if problems["missing"] or problems["unexpected"]:
        return None
    if not all(key.startswith(_LAST) and state[key].shape[1:] == wanted[key][1:] for key in other):
        return None
    counts = {(len(state[key]), wanted[key][0]) for key in other}
    return counts.pop() if len(counts) == 1 < len(other) else None  # a weight and its bias


def some(keys: list[str], shown: int = 3) -> str:
    """List the first of many names, and say how many more there are."""
    return ", ".join(keys[:shown]) + (f", … {len(keys) - shown} more" if len(keys) > shown else "")
