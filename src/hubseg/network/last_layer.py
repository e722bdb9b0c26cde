"""The last layer of a network: what a taught head is added to.

Responsible for finding it in every family, and for saying which networks have none that can be
taught. Does not know how it is taught.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hubseg.network.prediction import Prediction

__all__ = ["LAST_LAYERS", "LastLayer", "last_layer", "taught_state"]

LAST_LAYERS = ("res", "outc.conv", "classifier.4", "network.segmentation_head.0")
"""Names of the last layer, family by family."""

_SIZES = ((1, 1), (3, 3))


def last_layer(network: nn.Module) -> tuple[str, nn.Conv2d]:
    """Return the name and the module of a network's last convolution.

    Raises
    ------
    ValueError
        When it is none of 1 x 1 or 3 x 3 px.
    """
    modules = dict(network.named_modules())
    for name in LAST_LAYERS:
        found = modules.get(name)
        if isinstance(found, nn.Conv2d) and found.kernel_size in _SIZES and found.groups == 1:
            return name, found
    raise ValueError(
        "This network does not end in a convolution of 1 x 1 or 3 x 3 px, so corrections cannot "
        "teach it: use a timm_unet, a plain_unet or an smp Unet."
    )


class LastLayer(nn.Module):
    """A network that answers with what its last layer sees, and with what that makes of it.

    Its logits are (B, C + N, h, w): C channels of features, then the N outputs.

    Parameters
    ----------
    network
        In evaluation mode.

    Raises
    ------
    ValueError
        When the network cannot be taught.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._name, _ = last_layer(network)

    def forward(self, x: Tensor) -> Prediction:
        """Predict for a normalised batch (B, 3, h, w).

        Raises
        ------
        ValueError
            When the network enlarges what its last layer answers.
        """
        seen: list[Tensor] = []
        layer = self.network.get_submodule(self._name)
        hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            answer: Prediction = self.network(x)
        finally:
            hook.remove()
        if not seen or seen[0].shape[-2:] != answer.logits.shape[-2:]:
            raise ValueError(
                "This network enlarges what its last layer answers, so corrections cannot teach "
                "it: use a timm_unet, a plain_unet or an smp Unet."
            )
        both = torch.cat([seen[0].float(), answer.logits.float()], 1)
        return Prediction(both)


def taught_state(
    state: dict[str, Tensor], name: str, output: int, weights: tuple[float, ...], bias: float
) -> dict[str, Tensor]:
    """Return the tensors of a network with a taught head added to one output of its last layer.

    Parameters
    ----------
    state
        By key; it is left as it is.
    name
        Of the last layer, as of :func:`last_layer`.
    output
        Which of its filters.
    weights, bias
        What is added; weights go to the middle of a 3 x 3 filter.

    Raises
    ------
    ValueError
        When the layer has no such filter, has no bias, or has other channels.
    """
    keys = f"{name}.weight", f"{name}.bias"
    if any(key not in state for key in keys):
        raise ValueError(f"The checkpoint has no {' and '.join(keys)}: it cannot be taught.")
    kernel, offset = (state[key].clone() for key in keys)
    if output >= len(kernel) or kernel.shape[1] != len(weights):
        raise ValueError(
            f"The last layer of the checkpoint is {tuple(kernel.shape)} and was taught with "
            f"{len(weights)} channels: teach it again."
        )
    middle = kernel.shape[-1] // 2
    kernel[output, :, middle, middle] += torch.tensor(weights).to(kernel.dtype)
    offset[output] += bias
    return {**state, keys[0]: kernel, keys[1]: offset}
