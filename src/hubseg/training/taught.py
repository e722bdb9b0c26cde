"""Checkpoints with a taught head: what corrections added, written into the last layer.

Responsible for one file per member that ``hubseg predict`` runs like any other, and for saying in
it what it was made from. Does not know how a head is taught.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from hubseg.network.checkpoint import read_checkpoint
from hubseg.network.last_layer import LAST_LAYERS, taught_state
from hubseg.probability import file_digest
from hubseg.training.state import save_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from hubseg.probability import Taught, TaughtHead, TaughtScope
    from hubseg.recipe import Member

__all__ = ["write_taught"]


def write_taught(
    member: Member,
    source: Path,
    out: Path,
    taught: Taught,
    scope: TaughtScope,
    *,
    layers: Mapping[tuple[int, int, int], int] | None = None,
    slides: tuple[str, ...] = (),
) -> Path:
    """Write a member's checkpoint with its taught head; returns the file.

    What was taught is added to the last layer, times its weight. The last layer is kept in float32
    and the other tensors as they are. One that was taught with slides in the stains that it knows
    wants a recipe that shows them so (:meth:`hubseg.recipe.Recipe.aligned`).

    Parameters
    ----------
    source
        The member's checkpoint.
    out
        Folder of the new one, which has the same name.
    layers
        Which layer of each member's map was taught, by its place; the first where it is not there.
    slides
        Ids of the slides that taught it, for the record.

    Raises
    ------
    ValueError
        When nothing was taught for the member, or for another checkpoint than `source`, or if it
        was taught with slides in other stains and its weight is not 1.
    OSError
        When the file cannot be written.
    """
    head, digest = _head_of(member, source, taught)
    held = read_checkpoint(source)
    state = {name: tensor.contiguous() for name, tensor in held.state.items()}
    name = _last_of(state)
    if name is not None:
        for key in (f"{name}.weight", f"{name}.bias"):
            state[key] = state[key].to(torch.float32)
    weights = tuple(taught.weight * one for one in head.weights)
    output = member.channels.kept[(layers or {}).get(member.place, 0)]
    made = taught_state(state, name or "", output, weights, taught.weight * head.bias)
    told: dict[str, Any] = {"from": digest, "weight": taught.weight, "slides": list(slides)}
    told |= scope.to_facts()
    facts = {"taught": json.dumps(told)}
    for key, value in (("epoch", held.epoch), ("best_score", held.best_score)):
        if value is not None:
            facts[key] = str(value)
    path = out / f"{member.checkpoint.removesuffix('.safetensors')}.safetensors"
    save_tensors(path, made, facts)
    return path


def _head_of(member: Member, source: Path, taught: Taught) -> tuple[TaughtHead, str]:
    """Return what was taught for a checkpoint that can hold it, and the checkpoint's digest."""
    head, digest = taught.heads.get(member.place), file_digest(source)
    if head is None or head.network != digest:
        raise ValueError(
            f"{source} is not the checkpoint that was taught as {member.name}: run the ensemble "
            "with it and teach again, or name the folder of the one that was."
        )
    if head.stain and taught.weight < 1:
        raise ValueError(
            "Slides are shown to these networks in other stains, which a checkpoint does wholly or "
            f"not at all: set the weight of what was taught to 1 (it is {taught.weight:g})."
        )
    return head, digest


def _last_of(state: Mapping[str, Tensor]) -> str | None:
    """Return the name of the last layer among a file's tensors; None where none is known."""
    names = (*LAST_LAYERS, *(name.removeprefix("network.") for name in LAST_LAYERS))
    return next((name for name in names if f"{name}.weight" in state), None)
