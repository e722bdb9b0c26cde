"""The published U-Net over any timm encoder, under the names of the published files.

Responsible for the arithmetic of the decoder and its two heads. Does not know how an encoder is
made, nor files, slides or devices.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubseg.network.prediction import Prediction

__all__ = ["TimmUnet"]


class ConvSilu(nn.Module):
    """3 × 3 convolution with bias, then SiLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.SiLU(inplace=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels_in, h, w) to (B, channels_out, h, w)."""
        out: Tensor = self.layer(x)
        return out


class UpConvSilu(ConvSilu):
    """Doubles height and width by repeating pixels, then :class:`ConvSilu`."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels_in, h, w) to (B, channels_out, 2h, 2w)."""
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class TimmUnet(nn.Module):
    """U-Net decoder with the published key names over a timm `features_only` encoder.

    Encoders with five levels (strides 2-32) have `conv9_2`; those with four (strides 4-32) have
    none. Source: HuBMAP 2022 second place, cns-iu/ccf-research-kaggle-2022, models/Team_2.

    Parameters
    ----------
    encoder
        A module that maps (B, 3, h, w) to four or five feature maps, finest first.
    channels
        Channels of those maps.
    decoder
        Decoder filters, finest first; published: 32, 48, 64, 96, 128.
    outputs
        Logits per pixel; published: 1.
    channels_last
        Whether the encoder gives (B, h, w, C) instead of (B, C, h, w), as Swin does.
    """

    def __init__(
        self,
        encoder: nn.Module,
        channels: tuple[int, ...],
        decoder: tuple[int, ...] = (32, 48, 64, 96, 128),
        outputs: int = 1,
        *,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        f10, f9, f8, f7, f6 = decoder
        self.conv6 = UpConvSilu(channels[-1], f6)
        self.conv6_2 = ConvSilu(f6 + channels[-2], f6)
        self.conv7 = UpConvSilu(f6, f7)
        self.conv7_2 = ConvSilu(f7 + channels[-3], f7)
        self.conv8 = UpConvSilu(f7, f8)
        self.conv8_2 = ConvSilu(f8 + channels[-4], f8)
        self.conv9 = UpConvSilu(f8, f9)
        if len(channels) == 5:
            self.conv9_2 = ConvSilu(f9 + channels[-5], f9)
        self.conv10 = ConvSilu(f9, f10)
        self.res = nn.Conv2d(f10, outputs, 1)
        self.cls = nn.Linear(2 * channels[-1], 5)
        self.pix_sz = nn.Linear(2 * channels[-1], 1)
        self.encoder = encoder
        self._channels_last = channels_last

    def forward(self, x: Tensor) -> Prediction:
        """Predict for a normalised batch (B, 3, h, w); h and w multiples of 32."""
        levels = self.encoder(x)
        if self._channels_last:
            levels = [level.permute(0, 3, 1, 2) for level in levels]
        y = self.conv6_2(torch.cat([self.conv6(levels[-1]), levels[-2]], dim=1))
        y = self.conv7_2(torch.cat([self.conv7(y), levels[-3]], dim=1))
        y = self.conv8_2(torch.cat([self.conv8(y), levels[-4]], dim=1))
        y = self.conv9(y)
        if len(levels) == 5:
            y = self.conv9_2(torch.cat([y, levels[-5]], dim=1))
        logits = self.res(self.conv10(y))
        deepest = levels[-1]
        pooled = torch.cat([deepest.mean((-2, -1)), deepest.amax((-2, -1))], dim=1)
        return Prediction(logits, self.cls(pooled), self.pix_sz(pooled))
