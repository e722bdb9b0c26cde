"""From a file of an image classifier to the weights of timm's encoder, every tensor by its name.

Responsible for the spellings of names that are known, for what a classifier has beside its
features, for kinds of layers that names do not tell, and for refusing what does not fit. Does not
know where files come from (:mod:`hubseg.training.pretrained`).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from torch import nn

from hubseg.network.fitting import look_at_numbers, some

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from hubseg.network.checkpoint import Checkpoint

__all__ = [
    *("encoder_weights", "first_convolution", "is_of_ours", "is_of_tensorflow", "told_by_timm"),
]

# How EfficientNet-PyTorch and what came of it spell the parts of a network, and how timm does.
_WHOLE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_SEPARABLE = {  # the first blocks, which do not expand
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_OURS = "encoder."
_EPSILON = 1e-3  # of TensorFlow's batch norms, from which these files were converted


def encoder_weights(name: str, encoder: nn.Module, checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return a classifier's tensors under the names of an encoder without a head.

    Known spellings: timm's, with or without the names that its wrappers for features give;
    EfficientNet-PyTorch's; and our own checkpoints', of which the encoder is taken.

    Parameters
    ----------
    name
        What timm calls it.
    encoder
        timm's network that gives feature levels.

    Raises
    ------
    ValueError
        When a tensor is missing, left over or of another shape, when a layer is of another kind, or
        when a tensor holds NaN or infinity; one sentence says which.
    """
    whole = _classifier(name)
    wanted = {key: tensor.shape for key, tensor in encoder.state_dict().items()}
    known = _in_words_of_timm(name, whole, checkpoint)
    spellings: tuple[Callable[[str], str], ...] = (str, _flat, lambda key: f"model.{key}")
    spelled = max(spellings, key=lambda spell: len(wanted.keys() & set(map(spell, known))))
    state = {spelled(key): tensor for key, tensor in known.items() if spelled(key) in wanted}
    beside = {key: tensor for key, tensor in known.items() if spelled(key) not in wanted}
    head = {spelled(key): key for key in whole.state_dict()}
    problems = {
        "missing": sorted(wanted.keys() - state.keys()),
        "left over": sorted(key for key in beside if spelled(key) not in head),
        "of another shape": sorted(k for k, tensor in state.items() if tensor.shape != wanted[k]),
    }
    if said := [f"{len(keys)} {what} ({some(keys)})" for what, keys in problems.items() if keys]:
        raise ValueError(
            f"{checkpoint.path} does not fit the encoder {name!r}, with {' and '.join(said)}: give "
            "the weights that were made for it, or name the encoder that these are for."
        )
    look_at_numbers(checkpoint)
    return state


def is_of_ours(checkpoint: Checkpoint) -> bool:
    """Tell whether a file holds a network for segmentation, with its encoder's names as ours."""
    return any(key.startswith(_OURS) for key in checkpoint.state)


def is_of_tensorflow(checkpoint: Checkpoint) -> bool:
    """Tell whether a file has EfficientNet-PyTorch's names: its numbers are TensorFlow's."""
    return "_conv_stem.weight" in checkpoint.state


def first_convolution(encoder: nn.Module) -> str:
    """Return the name of the weights that see an image's three channels, (filters, 3, h, w)."""
    return next(
        f"{name}.weight"
        for name, layer in encoder.named_modules()
        if isinstance(layer, nn.Conv2d) and layer.in_channels == 3
    )


def told_by_timm(name: str) -> Mapping[str, Any]:
    """Return what timm knows of an encoder's pretrained weights, also where `name` is an old one.

    Among it are ``hf_hub_id``, ``url``, ``license``, and ``mean`` and ``std`` of a full scale of 1.
    """
    facts: dict[str, Any] = _classifier(name).pretrained_cfg  # type: ignore[assignment]
    return facts


def _classifier(name: str) -> nn.Module:
    """Return the whole network of which an encoder is the features, with random weights."""
    import timm

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mapping deprecated model name", UserWarning)
        network: nn.Module = timm.create_model(name, pretrained=False)
    return network


def _flat(key: str) -> str:
    """Spell a name as timm's list of features does: ``stages.0.x`` is ``stages_0.x``."""
    first, dot, rest = key.partition(".")
    return f"{first}_{rest}" if dot and rest[:1].isdigit() else key


def _in_words_of_timm(name: str, whole: nn.Module, checkpoint: Checkpoint) -> Mapping[str, Tensor]:
    state = checkpoint.state
    if is_of_ours(checkpoint):
        own = {key: tensor for key, tensor in state.items() if key.startswith(_OURS)}
        return {key.removeprefix(_OURS): tensor for key, tensor in own.items()}
    blocks = getattr(whole, "blocks", None)
    if not is_of_tensorflow(checkpoint) or not isinstance(blocks, nn.Sequential):
        return state
    if not _is_as_tensorflow_has_it(whole):
        raise ValueError(
            f"{checkpoint.path} was made for layers that pad as TensorFlow's do, and those of "
            f"{name!r} do not: name the encoder that timm calls tf_{name}."
        )
    places = [
        (f"blocks.{i}.{j}", _INVERTED if hasattr(block, "conv_pwl") else _SEPARABLE)
        for i, stage in enumerate(blocks.children())
        for j, block in enumerate(stage.children())
    ]
    return {_respelled(key, places): tensor for key, tensor in state.items()}


def _respelled(key: str, places: list[tuple[str, dict[str, str]]]) -> str:
    """Spell one name of EfficientNet-PyTorch as timm does; what it does not know stays."""
    place, _, kind = key.rpartition(".")
    if place in _WHOLE:
        return f"{_WHOLE[place]}.{kind}"
    _, number, part, *more = (*place.split("."), "", "")[:4]
    if not place.startswith("_blocks.") or any(more) or not number.isdecimal():
        return key
    if int(number) >= len(places):
        return key
    block, parts = places[int(number)]
    return f"{block}.{parts[part]}.{kind}" if part in parts else key


def _is_as_tensorflow_has_it(whole: nn.Module) -> bool:
    """Tell what neither names nor shapes do: on which side layers pad, and what norms add."""
    from timm.layers import Conv2dSame

    norms = [one for one in whole.modules() if isinstance(one, nn.BatchNorm2d)]
    strided = [one for one in whole.modules() if isinstance(one, nn.Conv2d) and max(one.stride) > 1]
    padded = all(isinstance(one, Conv2dSame) for one in strided)
    return padded and all(one.eps == _EPSILON for one in norms)
