"""What the last layer of a member sees of a slide: the member's map without its last step.

Responsible for one pass without turned views and without the activation, on the same path as a
member's map. Does not know how features are kept or taught with.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.inference.cpu_network import CpuNetwork
from hubseg.inference.member import predict_member
from hubseg.network.last_layer import LastLayer, last_layer
from hubseg.probability import FeatureMap
from hubseg.recipe.channels import ONE_OUTPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from hubseg.recipe import Channels, Member, Recipe
    from hubseg.slide import Slide

__all__ = ["predict_features"]


def predict_features(
    network: nn.Module,
    pixels: NDArray[np.uint8] | Slide,
    recipe: Recipe,
    member: Member,
    *,
    checkpoint_digest: str,
    **how: Any,
) -> FeatureMap:
    """Run one member of `recipe` on a slide, up to its last layer and with it.

    Parameters
    ----------
    network, pixels
        As of :func:`hubseg.inference.predict_member`.
    checkpoint_digest
        Of the file that the network was read from.
    how
        Further arguments of :func:`hubseg.inference.predict_member`.

    Returns
    -------
    FeatureMap
        Where the recipe knows its networks' stains, with the features of the slide shown in these.

    Raises
    ------
    ValueError
        When the network cannot be taught: what its last layer is, or outputs that share a pixel.
    Cancelled, MemoryError
        As of :func:`hubseg.inference.predict_member`.
    """
    if member.channels.activation != "sigmoid":
        raise ValueError(
            f"The outputs of {member.name} share each pixel between them (softmax), so corrections "
            "cannot teach it: use a network with activation sigmoid."
        )
    bare = network.network if isinstance(network, CpuNetwork) else network
    bare = getattr(bare, "_orig_mod", bare)
    layer = last_layer(bare)[1]
    once = recipe.model_copy(update={"tta": "none"})
    plain = replace(member, channels=ONE_OUTPUT)
    channels, kept = layer.in_channels, [layer.in_channels + i for i in member.channels.kept]

    def seen(as_shown: Recipe, stain: str = "") -> FeatureMap:
        made = predict_member(LastLayer(bare), pixels, as_shown, plain, answer=_raw, **how)
        values = made.values.astype(np.float16)
        return FeatureMap(values[:channels], values[kept], checkpoint_digest, stain)

    own, stain = seen(once), recipe.teachable_stain
    return replace(own, aligned=seen(once.aligned(), stain)) if stain else own


def _raw(logits: Tensor, channels: Channels) -> Tensor:
    del channels
    return logits
