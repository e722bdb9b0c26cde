"""A network ready to run from its file: its structure is built once, and copied for each file.

Responsible for loading many files of a few structures quickly, as an ensemble of folds asks for:
building one, and finding out what of it can be folded, take longer than reading its weights. Does
not know recipes or which networks stay loaded.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hubseg.network.families import blank, is_sized, without_auxiliary
from hubseg.network.fitting import fitting, load_into
from hubseg.network.fused_layers import fold, foldable
from hubseg.recipe import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from hubseg.network.checkpoint import Checkpoint

__all__ = ["ready"]

# What may be shared by copies as it is: it never changes.
_FIXED = (
    *(int, float, complex, str, bytes, type(None), type, FunctionType, BuiltinFunctionType),
    *(torch.dtype, torch.device, torch.Size),
)
_CONTAINERS = (dict, OrderedDict, list, set)


@dataclass(frozen=True, slots=True)
class _Structure:
    """A network without weights.

    Attributes
    ----------
    network
        Its weights have a shape and no memory.
    norms
        What can be folded, of :func:`foldable`.
    shapes, dtypes
        Of every tensor of a checkpoint, by key.
    plain
        Whether its modules take tensors as they are: none has a way of loading of its own.
    """

    network: nn.Module
    norms: Mapping[str, str]
    shapes: Mapping[str, torch.Size]
    dtypes: Mapping[str, torch.dtype]
    plain: bool


@lru_cache(maxsize=16)  # structures of a recipe; without weights, each takes a few MB
def _structure(spec: str, size: int | None) -> _Structure:
    network = without_auxiliary(blank(NetworkSpec.model_validate_json(spec), size=size))
    network.eval().requires_grad_(False)
    own = network.state_dict()
    return _Structure(
        network,
        foldable(network, size=size),
        {key: tensor.shape for key, tensor in own.items()},
        {key: tensor.dtype for key, tensor in own.items()},
        all(map(_is_plain, network.modules())),
    )


def _is_plain(module: nn.Module) -> bool:
    kind, norm = type(module), nn.modules.batchnorm._NormBase
    ways = (nn.Module._load_from_state_dict, norm._load_from_state_dict)
    hooks = module._load_state_dict_pre_hooks or module._load_state_dict_post_hooks
    own = kind.get_extra_state is not nn.Module.get_extra_state or hasattr(kind, "__deepcopy__")
    return kind._load_from_state_dict in ways and not hooks and not own


def ready(
    spec: NetworkSpec, checkpoint: Checkpoint, device: torch.device, *, size: int
) -> nn.Module:
    """Return the network of `spec` with the weights of a file, folded, in evaluation mode.

    Parameters
    ----------
    checkpoint
        Tensors that are on a GPU already are taken as they are, and not copied.
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
    structure = _structure(spec.model_dump_json(), sized)
    if not structure.plain:
        network = copy.deepcopy(structure.network)
        load_into(network, checkpoint, device)
        return fold(network, norms=structure.norms)
    state = fitting(structure.shapes, checkpoint)
    network = _copy_of(structure.network)
    # a mapped file may change while the network is kept: a GPU's memory is ours
    _fill(
        network,
        {
            key: tensor.to(device, structure.dtypes[key], copy=not tensor.is_cuda)
            for key, tensor in state.items()
        },
    )
    return fold(network, norms=structure.norms)


def _fill(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put every tensor in its place; each was compared before."""
    for prefix, module in network.named_modules():
        before = f"{prefix}." if prefix else ""
        for name, empty in module._parameters.items():
            if empty is not None:
                weight = nn.Parameter(state[before + name], empty.requires_grad)
                module._parameters[name] = weight
        for name, buffer in module._buffers.items():
            if buffer is not None and name not in module._non_persistent_buffers_set:
                module._buffers[name] = state[before + name]


def _copy_of(structure: nn.Module) -> nn.Module:
    """Copy every module, and share its weights, which have no memory yet.

    As copy.deepcopy does, but without looking into what never changes: of a network with a
    thousand modules that takes ten times as long as reading its weights.
    """
    memo: dict[int, Any] = {}
    modules = list(structure.modules())
    for module in modules:
        memo[id(module)] = module.__class__.__new__(module.__class__)
    for module in modules:
        copied = memo[id(module)].__dict__
        for name, value in module.__dict__.items():
            copied[name] = _copied(name, value, memo)
    network: nn.Module = memo[id(structure)]
    return network


def _copied(name: str, value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, _FIXED):
        return value
    if type(value) is tuple and all(isinstance(one, _FIXED) for one in value):
        return value
    if name == "_modules":
        return type(value)((key, memo.get(id(one))) for key, one in value.items())
    if name == "_parameters":
        return value.copy()
    if name == "_buffers":
        return type(value)((k, None if b is None else b.clone()) for k, b in value.items())
    if type(value) in _CONTAINERS and not value:
        return type(value)()
    return copy.deepcopy(value, memo)
