"""The network families: from a recipe's specification to a network with fresh random weights.

Responsible for finding the encoder, for what it needs (image size, order of axes) and for saying
what is wrong with a specification. Does not know files or devices.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from hubseg.network.deeplab import AUXILIARY, DeepLabV3
from hubseg.network.plain_unet import PlainUnet
from hubseg.network.prediction import Prediction
from hubseg.network.unet import TimmUnet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubseg.recipe import NetworkSpec

__all__ = [
    "SmpNetwork",
    "blank",
    "build",
    "encoder_arguments",
    "first_line",
    "is_sized",
    "without_auxiliary",
]

# Families whose old names timm resolves without telling that they are made for one image size.
_SIZED = ("coat", "swin", "vit", "maxvit", "maxxvit", "coatnet", "beit", "deit")
_STRIDES = ([2, 4, 8, 16, 32], [4, 8, 16, 32])


class SmpNetwork(nn.Module):
    """A network of segmentation_models_pytorch, which answers at full resolution, without heads.

    Parameters
    ----------
    network
        Maps (B, 3, h, w) to logits (B, N, h, w).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Prediction:
        """Predict for a normalised batch (B, 3, h, w); h and w multiples of 32."""
        return Prediction(self.network(x))


def build(spec: NetworkSpec, *, size: int | None = None) -> nn.Module:
    """Build the network of `spec` with fresh random weights.

    Parameters
    ----------
    spec
        Kind, architecture, encoder, decoder, and how many outputs.
    size
        Image side in px, for encoders that are made for one size; None where it varies.

    Returns
    -------
    Module
        Maps a normalised batch (B, 3, h, w) to a :class:`Prediction`.

    Raises
    ------
    ValueError
        When the encoder is not known or cannot give the feature levels that are needed.
    ModuleNotFoundError
        When `kind` is ``smp`` and segmentation_models_pytorch is not installed.
    """
    if spec.kind == "plain_unet":
        return PlainUnet(spec.filters, spec.outputs)
    makers = {"smp": _smp, "timm_unet": _timm_unet, "deeplabv3": _deeplab}
    return makers[spec.kind](spec, size)


def without_auxiliary(network: nn.Module) -> nn.Module:
    """Take off what a network has for training alone, in place; returns `network`."""
    if isinstance(network, DeepLabV3):
        setattr(network, AUXILIARY, None)
    return network


class _Unfilled(TorchFunctionMode):
    """Gives tensors that nobody fills yet a shape and no memory, in this thread alone."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func is torch.empty:
            given["device"] = "meta"
        return func(*args, **given)


def blank(spec: NetworkSpec, *, size: int | None = None) -> nn.Module:
    """Build the network of `spec` to be loaded at once: its weights have a shape and no memory.

    Drawing random weights takes up to three seconds a network, and a checkpoint replaces them all.
    What is computed while a network is built, and is in no checkpoint, is there.

    Parameters
    ----------
    spec, size
        As of :func:`build`.
    """
    try:
        with _Unfilled():
            network = build(spec, size=size)
    except (NotImplementedError, RuntimeError):  # it looks at values that are not there
        return _emptied(build(spec, size=size))
    stored = network.state_dict().keys()
    left = [tensor for name, tensor in network.named_buffers() if name not in stored]
    if any(tensor.is_meta for tensor in left):
        return _emptied(build(spec, size=size))
    return network


def _emptied(network: nn.Module) -> nn.Module:
    """Leave a network's weights their shape alone."""
    for module in network.modules():
        for name, weight in module.named_parameters(recurse=False):
            empty = torch.empty_like(weight, device="meta")
            module.register_parameter(name, nn.Parameter(empty, weight.requires_grad))
    return network


def is_sized(spec: NetworkSpec) -> bool:
    """Tell whether the encoder is made for one image size and must be told which."""
    import timm

    name = spec.encoder.removeprefix("tu-") if spec.kind == "smp" else spec.encoder
    if spec.kind == "smp" and name == spec.encoder:
        return False  # smp's own encoders take any size
    known = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    return known.fixed_input_size if known is not None else name.startswith(_SIZED)


def encoder_arguments(spec: NetworkSpec, size: int | None) -> dict[str, Any]:
    """Return what timm, or smp, is told of an encoder beside its name."""
    sized = size is not None and "img_size" not in spec.encoder_args and is_sized(spec)
    return dict(spec.encoder_args) | ({"img_size": size} if sized else {})


def _timm_unet(spec: NetworkSpec, size: int | None) -> TimmUnet:
    encoder = _encoder(spec, encoder_arguments(spec, size))
    strides = list(encoder.feature_info.reduction())
    if strides not in _STRIDES:
        raise ValueError(
            f"The encoder {spec.encoder!r} gives feature levels of strides {_listed(strides)}; "
            "this U-Net needs 2, 4, 8, 16, 32 or 4, 8, 16, 32: choose another encoder, or the "
            "right levels with `encoder_args: {out_indices: [...]}`."
        )
    return TimmUnet(
        encoder,
        tuple(encoder.feature_info.channels()),
        spec.decoder,
        spec.outputs,
        channels_last=_is_channels_last(encoder),
    )


def _deeplab(spec: NetworkSpec, size: int | None) -> DeepLabV3:
    encoder = _encoder(spec, {"output_stride": 8, **encoder_arguments(spec, size)})
    strides = list(encoder.feature_info.reduction())
    if strides[-1] not in (8, 16) or len(strides) < 2 or _is_channels_last(encoder):
        raise ValueError(
            f"The encoder {spec.encoder!r} gives feature levels of strides {_listed(strides)}; "
            "DeepLabV3 needs one that can be dilated to stride 8 or 16, such as resnet50: choose "
            "another encoder."
        )
    channels = encoder.feature_info.channels()[-2:]
    return DeepLabV3(
        encoder, (channels[0], channels[1]), spec.filters, spec.outputs, stride=strides[-1]
    )


def _encoder(spec: NetworkSpec, arguments: dict[str, Any]) -> Any:
    """Return timm's encoder, which maps an image to its feature levels, finest first."""
    import timm

    if not timm.is_model(spec.encoder):
        raise ValueError(
            f"timm {timm.__version__} does not know the encoder {spec.encoder!r}: correct "
            "`network.encoder` in the recipe."
        )
    try:
        with warnings.catch_warnings():
            # old names of encoders are what the published files are called by
            warnings.filterwarnings("ignore", "Mapping deprecated model name", UserWarning)
            return timm.create_model(
                spec.encoder, features_only=True, pretrained=False, **arguments
            )
    except (TypeError, RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"timm cannot build {spec.encoder!r} with feature levels ({first_line(error)}): "
            "choose another `network.encoder` or correct `encoder_args`."
        ) from error


def _is_channels_last(encoder: Any) -> bool:
    return str(getattr(encoder, "output_fmt", "")).endswith("NHWC")


def _smp(spec: NetworkSpec, size: int | None) -> SmpNetwork:
    try:
        import segmentation_models_pytorch as smp
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Networks of kind smp need segmentation_models_pytorch: run "
            "pip install 'napari-hubseg[smp]'."
        ) from error
    architecture = getattr(smp, spec.architecture or "Unet")
    try:
        network = architecture(
            spec.encoder,
            encoder_weights=None,
            classes=spec.outputs,
            **encoder_arguments(spec, size),
        )
    except KeyError as error:
        raise ValueError(
            f"segmentation_models_pytorch {smp.__version__} does not know the encoder "
            f"{spec.encoder!r}: correct `network.encoder` in the recipe (timm's encoders are "
            f"spelled tu-NAME)."
        ) from error
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise ValueError(
            f"segmentation_models_pytorch cannot build {architecture.__name__} with the encoder "
            f"{spec.encoder!r} ({first_line(error)}): choose another `network.encoder` or correct "
            "`encoder_args`."
        ) from error
    return SmpNetwork(network)


def first_line(error: BaseException) -> str:
    """Return the first line of what a library says, or its error's kind where it says nothing."""
    return next(iter(_lines(error)), type(error).__name__)


def _lines(error: BaseException) -> Iterator[str]:
    yield from filter(None, map(str.strip, str(error).splitlines()))


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
