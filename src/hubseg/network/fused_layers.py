"""The same network with less arithmetic: batch norms and repeated pixels folded into weights.

Responsible for rewriting a loaded network once, for inference only: afterwards it answers as
before but for rounding, and its tensors no longer have a checkpoint's names. Does not know
devices or precision.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import Tensor, nn
from torch.func import functional_call

from hubseg.network.unet import TimmUnet, UpConvSilu

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["fold", "foldable", "on_meta"]

# Exact types: a subclass may change its weight on the way, and then folding would be wrong.
_CONVOLUTIONS = (nn.Conv2d, Conv2dSame)
_NORMS = (nn.BatchNorm2d, BatchNormAct2d)


def fold(
    network: nn.Module,
    *,
    size: int | None = None,
    norms: Mapping[str, str] | None = None,
    doubling: bool = True,
) -> nn.Module:
    """Fold what can be folded, in place; returns `network`.

    A batch norm in evaluation mode is a factor and a bias per channel: they go into the
    convolution before it. A 3 × 3 convolution of an image whose pixels were repeated 2 × 2 reads
    each of them two or four times: it is a 4 × 4 transposed convolution of the small image, with
    4/9 of the multiplications and no large copy.

    Parameters
    ----------
    network
        In evaluation mode, with its weights.
    size
        Image side in px of networks that are made for one size.
    norms
        From :func:`foldable`, of a network of the same structure; default: of this one.
    doubling
        Whether convolutions of repeated pixels are folded too.
    """
    modules = dict(network.named_modules())
    pairs = foldable(network, size=size) if norms is None else norms
    _fold_norms([(modules[one], modules[norm]) for one, norm in pairs.items()])
    for norm in pairs.values():
        owner, _, name = norm.rpartition(".")
        setattr(modules[owner], name, _after(modules[norm]))
    if doubling and isinstance(network, TimmUnet):
        for name, child in list(network.named_children()):
            if isinstance(child, UpConvSilu):
                setattr(network, name, _Doubling(child))
    return network


def foldable(network: nn.Module, *, size: int | None = None) -> dict[str, str]:
    """Return the names of convolutions whose answer goes into a batch norm alone, and of that.

    Parameters
    ----------
    network
        In evaluation mode; its weights do not matter.
    size
        Image side in px of networks that are made for one size.
    """
    names = {module: name for name, module in network.named_modules()}
    return {names[one]: names[norm] for one, norm in _normed(network, size or 64).items()}


def on_meta(network: nn.Module, size: int) -> Any:
    """Run a network on one image of size² px without arithmetic or memory; return its answer."""
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    image = torch.empty(1, 3, size, size, device="meta")
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    with torch.no_grad():
        return functional_call(network, shapes, (image,))


def _normed(network: nn.Module, size: int) -> dict[nn.Module, nn.Module]:
    """Find convolutions whose answer goes into a batch norm and nowhere else."""
    norms = {module for module in network.modules() if type(module) in _NORMS}
    if not norms:
        return {}
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    taken: dict[int, nn.Module] = {}
    asked: Counter[int] = Counter()

    def note_answer(module: nn.Module, _: Any, answer: Any) -> None:
        if type(module) in _CONVOLUTIONS:
            made[id(answer)] = (module, answer)  # type: ignore[assignment]  # kept: ids stay unique

    def note_question(module: nn.Module, given: Any) -> None:
        for value in given:
            if id(value) in made and (type(module) in _NORMS or not list(module.children())):
                asked[id(value)] += 1
                taken[id(value)] = module

    hooks = [module.register_forward_hook(note_answer) for module in network.modules()]
    hooks += [module.register_forward_pre_hook(note_question) for module in network.modules()]
    try:
        on_meta(network, size)
    finally:
        for hook in hooks:
            hook.remove()
    once = Counter([*(convolution for convolution, _ in made.values()), *taken.values()])
    return {
        convolution: norm
        for key, (convolution, _) in made.items()
        if asked[key] == once[convolution] == 1
        and (norm := taken[key]) in norms
        and once[norm] == 1
    }


def _fold_norms(pairs: list[tuple[Any, Any]]) -> None:
    """Fold norms into the convolutions before them, the channels of all at once.

    The arithmetic, and its order, is that of torch's `fuse_conv_bn_weights`. A GPU would wait
    longer to be told of hundreds of short vectors than it calculates.
    """
    if not pairs:
        return
    convolutions, norms = zip(*pairs, strict=True)
    means = torch.cat([norm.running_mean for norm in norms])
    variances = torch.cat([norm.running_var for norm in norms])
    given = [norm.running_mean for norm in norms]
    ones, zeros = torch.ones_like, torch.zeros_like
    factors = _joined([norm.weight for norm in norms], ones, given)
    added = _joined([norm.bias for norm in norms], zeros, given)
    before = _joined([one.bias for one in convolutions], zeros, given)
    counts = [len(one) for one in given]
    steps = torch.tensor([norm.eps for norm in norms], dtype=means.dtype)
    steps = torch.repeat_interleave(steps, torch.tensor(counts)).to(means.device)
    roots = torch.rsqrt(variances + steps)
    scales = (factors * roots).split(counts)
    biases = ((before - means) * roots * factors + added).split(counts)
    for convolution, scale, bias in zip(convolutions, scales, biases, strict=True):
        learns = convolution.weight.requires_grad
        weight = convolution.weight * scale.reshape(-1, 1, 1, 1)
        convolution.weight = nn.Parameter(weight.to(convolution.weight.dtype), learns)
        convolution.bias = nn.Parameter(bias.clone(), learns)


def _joined(
    vectors: list[Tensor | None], instead: Callable[[Tensor], Tensor], like: list[Tensor]
) -> Tensor:
    """Join vectors end to end; one that is not there counts as `instead` of one like it."""
    return torch.cat(
        [instead(one) if it is None else it for it, one in zip(vectors, like, strict=True)]
    )


def _after(norm: nn.Module) -> nn.Module:
    """Return what is left of a batch norm once it is folded: its activation, if it has one."""
    return norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity()


class _Doubling(nn.Module):
    """:class:`UpConvSilu` as one transposed convolution."""

    def __init__(self, plain: UpConvSilu) -> None:
        super().__init__()
        weight = _doubling(plain.layer[0].get_parameter("weight").detach())
        channels_in, channels_out = weight.shape[:2]
        doubling = nn.ConvTranspose2d(
            *(channels_in, channels_out, 4), stride=2, padding=1, device="meta"
        )
        doubling.weight = nn.Parameter(weight, requires_grad=False)
        doubling.bias = plain.layer[0].get_parameter("bias")
        self.layer = nn.Sequential(doubling, nn.SiLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out


# Which taps of three read the same small pixel, in the order of the four taps of the transposed
# kernel: an even row reads the pixel before and its own, an odd row its own and the next.
_TAPS = ((0, 0, 1), (0, 1, 1), (1, 1, 0), (1, 0, 0))


def _doubling(weight: Tensor) -> Tensor:
    """Turn (out, in, 3, 3) into the (in, out, 4, 4) kernel that doubles and convolves at once."""
    taps = torch.tensor(_TAPS, dtype=torch.float64, device=weight.device)
    summed = torch.einsum("ar,oirc,bc->ioab", taps, weight.double(), taps)
    return summed.to(weight.dtype)
