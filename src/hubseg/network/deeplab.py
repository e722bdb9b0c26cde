"""DeepLabV3 over any timm encoder that can be dilated, under torchvision's names.

Responsible for atrous spatial pyramid pooling and for the head that helps training alone. Does not
know how an encoder is made, nor files, slides or devices.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubseg.network.prediction import Prediction

__all__ = ["AUXILIARY", "DeepLabV3"]

AUXILIARY = "aux_classifier"
"""The module that is there for training only."""

_RATES = (12, 24, 36)  # at stride 8; half of them at stride 16. Source: Chen et al. 2017


def _block(channels_in: int, channels_out: int, kernel: int, rate: int = 1) -> list[nn.Module]:
    padding = rate if kernel == 3 else 0
    convolution = nn.Conv2d(
        channels_in, channels_out, kernel, padding=padding, dilation=rate, bias=False
    )
    return [convolution, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True)]


class _Pooling(nn.Sequential):
    """The mean of the whole image, everywhere."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *_block(channels_in, channels_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels_in, h, w) to (B, channels_out, h, w)."""
        size = x.shape[-2:]
        for layer in self:
            x = layer(x)
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Aspp(nn.Module):
    """Atrous spatial pyramid pooling: the same level seen near, far, farther and as a whole."""

    def __init__(self, channels_in: int, width: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                nn.Sequential(*_block(channels_in, width, 1)),
                *(nn.Sequential(*_block(channels_in, width, 3, rate)) for rate in rates),
                _Pooling(channels_in, width),
            ]
        )
        joined = (len(rates) + 2) * width
        self.project = nn.Sequential(*_block(joined, width, 1), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels_in, h, w) to (B, width, h, w)."""
        out: Tensor = self.project(torch.cat([look(x) for look in self.convs], dim=1))
        return out


class DeepLabV3(nn.Module):
    """An encoder of stride 8 or 16, ASPP, and bilinear enlargement to the input's size.

    Source: Chen et al., Rethinking Atrous Convolution for Semantic Image Segmentation, 2017, as
    torchvision builds it. Over a timm ResNet its tensors have the names of torchvision's files,
    ``encoder`` for ``backbone``.

    Parameters
    ----------
    encoder
        A module that maps (B, 3, h, w) to feature maps, finest first.
    channels
        Channels of the last two of those maps.
    width
        Filters of the head; published: 256.
    outputs
        Logits per pixel.
    stride
        Of the last map, 8 or 16.
    """

    def __init__(
        self,
        encoder: nn.Module,
        channels: tuple[int, int],
        width: int = 256,
        outputs: int = 1,
        *,
        stride: int = 8,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        rates = tuple(rate * 8 // stride for rate in _RATES)
        self.classifier = nn.Sequential(
            Aspp(channels[1], width, rates),
            *_block(width, width, 3),
            nn.Conv2d(width, outputs, 1),
        )
        inner = max(1, channels[0] // 4)
        self.aux_classifier: nn.Sequential | None = nn.Sequential(
            *_block(channels[0], inner, 3), nn.Dropout(0.1), nn.Conv2d(inner, outputs, 1)
        )

    def forward(self, x: Tensor) -> Prediction:
        """Predict for a normalised batch (B, 3, h, w) of any size."""
        *_, coarser, coarsest = self.encoder(x)
        logits = self._enlarged(self.classifier(coarsest), x)
        if self.aux_classifier is None or not self.training:
            return Prediction(logits)
        return Prediction(logits, auxiliary=self._enlarged(self.aux_classifier(coarser), x))

    @staticmethod
    def _enlarged(logits: Tensor, image: Tensor) -> Tensor:
        size = image.shape[-2:]
        return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
