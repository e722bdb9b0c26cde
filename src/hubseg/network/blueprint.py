"""A network ready to run from its file: its structure is built once, and copied for each file.

Responsible for loading many files of a few structures quickly, as an ensemble of folds asks for:
building one, and finding out what of it can be folded, take longer than reading its weights. Does
not know recipes or which networks stay loaded.
"""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import TYPE_CHECKING

from hubseg.network.checkpoint import load_into
from hubseg.network.families import blank, is_sized
from hubseg.network.folding import fold, foldable
from hubseg.recipe import NetworkSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

    from hubseg.network.checkpoint import Checkpoint

__all__ = ["ready"]


@lru_cache(maxsize=16)  # structures of a recipe; without weights, each takes a few MB
def _structure(spec: str, size: int | None) -> tuple[nn.Module, dict[str, str]]:
    network = blank(NetworkSpec.model_validate_json(spec), size=size)
    network.eval().requires_grad_(False)
    return network, foldable(network, size=size)


def ready(
    spec: NetworkSpec, checkpoint: Checkpoint, device: torch.device, *, size: int
) -> nn.Module:
    """Return the network of `spec` with the weights of a file, folded, in evaluation mode.

    Parameters
    ----------
    device
        Where its tensors are put.
    size
        Image side in px, which counts for networks that are made for one size.

    Raises
    ------
    ValueError
        When the file does not fit the network.
    """
    sized = size if is_sized(spec) else None
    structure, norms = _structure(spec.model_dump_json(), sized)
    network = copy.deepcopy(structure)
    load_into(network, checkpoint, device)
    return fold(network, norms=norms)
