"""What a network costs: parameters, arithmetic and device memory, without running it.

Responsible for counting on tensors that have a shape and no memory. Does not know what a device
has.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hubseg.network.families import build, is_sized, without_auxiliary
from hubseg.network.fused_layers import on_meta

if TYPE_CHECKING:
    from hubseg.recipe import NetworkSpec

__all__ = ["Cost", "cost", "shapes"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one network costs on one view.

    Attributes
    ----------
    parameters
        Numbers that were trained.
    tensors
        Tensors of a checkpoint, running means of batch norms among them.
    flops
        Floating-point operations of one forward pass as torch counts them: convolutions and
        matrix products, a multiplication and an addition each.
    weight_bytes
        Of the tensors, in float32.
    activation_bytes
        Estimate of what one view needs beside the weights, in float32: the largest answer of a
        layer with its question, and the encoder's levels that wait for the decoder. Measured
        peaks of published networks are 1.3 to 1.6 times that on a CPU.
    """

    parameters: int
    tensors: int
    flops: int
    weight_bytes: int
    activation_bytes: int

    def memory(self, *, half: bool) -> int:
        """Estimate the device memory for one view, bytes; half: activations in 16 bits."""
        return self.weight_bytes + self.activation_bytes // (2 if half else 1)


def _empty(spec: NetworkSpec, size: int) -> nn.Module:
    """Build a network without memory for its weights where the encoder allows it."""
    sized = size if is_sized(spec) else None
    try:
        with torch.device("meta"):
            return build(spec, size=sized)
    except (NotImplementedError, RuntimeError, ValueError):  # it computes while it is built
        return build(spec, size=sized)


@lru_cache(maxsize=32)  # networks of a recipe, each at its size
def _shapes(spec: str, size: int) -> dict[str, torch.Size]:
    from hubseg.recipe import NetworkSpec

    network = without_auxiliary(_empty(NetworkSpec.model_validate_json(spec), size))
    return {key: tensor.shape for key, tensor in network.state_dict().items()}


def shapes(spec: NetworkSpec, size: int) -> dict[str, torch.Size]:
    """Return the shape of every tensor that a run reads of a network's checkpoint, by key."""
    return _shapes(spec.model_dump_json(), size)


def cost(spec: NetworkSpec, size: int) -> Cost:
    """Count what the network of `spec` costs on one image of size² px.

    Raises
    ------
    ValueError
        When there is no such network.
    """
    from torch.utils.flop_counter import FlopCounterMode

    network = _empty(spec, size).eval()
    activations = _Activations(network)
    counter = FlopCounterMode(display=False)
    with activations, counter:
        on_meta(network, size)
    state = network.state_dict()
    return Cost(
        parameters=sum(p.numel() for p in network.parameters()),
        tensors=len(state),
        flops=counter.get_total_flops(),
        weight_bytes=sum(t.numel() * t.element_size() for t in state.values()),
        activation_bytes=activations.peak,
    )


class _Activations:
    """Adds up what is alive while a network runs: questions, answers, and levels that wait."""

    def __init__(self, network: nn.Module) -> None:
        self.peak = 0
        self._waiting = 0
        self._leaves = [m for m in network.modules() if not list(m.children())]
        self._encoder = getattr(network, "encoder", None)
        self._hooks: list[Any] = []

    def __enter__(self) -> None:
        self._hooks = [leaf.register_forward_hook(self._step) for leaf in self._leaves]
        if isinstance(self._encoder, nn.Module):
            self._hooks.append(self._encoder.register_forward_hook(self._wait))

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _step(self, _: nn.Module, given: Any, answer: Any) -> None:
        self.peak = max(self.peak, self._waiting + _nbytes(given) + _nbytes(answer))

    def _wait(self, _: nn.Module, given: Any, answer: Any) -> None:
        del given
        self._waiting = _nbytes(answer)


def _nbytes(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    return sum(map(_nbytes, value)) if isinstance(value, (list, tuple)) else 0
