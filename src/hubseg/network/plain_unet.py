"""The U-Net of double convolutions, learnt from nothing, under the names of its best-known files.

Responsible for its arithmetic, also on sizes that four halvings do not divide. Does not know files,
slides or devices.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubseg.network.prediction import Prediction

__all__ = ["PlainUnet"]


class DoubleConv(nn.Module):
    """Twice: a 3 × 3 convolution, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for given in (channels_in, channels_out):
            layers.append(nn.Conv2d(given, channels_out, 3, padding=1, bias=False))
            layers += [nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True)]
        self.double_conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels_in, h, w) to (B, channels_out, h, w)."""
        out: Tensor = self.double_conv(x)
        return out


class Down(nn.Module):
    """The larger of every 2 × 2 pixels, then :class:`DoubleConv`."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(channels_in, channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels_in, h, w) to (B, channels_out, h // 2, w // 2)."""
        out: Tensor = self.maxpool_conv(x)
        return out


class Up(nn.Module):
    """Twice as large, joined with the finer level, then :class:`DoubleConv`."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(channels_in, channels_in // 2, 2, stride=2)
        self.conv = DoubleConv(channels_in, channels_out)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Map two levels to (B, channels_out, h, w) of the finer one.

        A row or column that halving lost is padded with zeros, as the published code does.
        """
        grown = self.up(coarse)
        rows, columns = (fine.shape[i] - grown.shape[i] for i in (-2, -1))
        if rows or columns:
            top, left = rows // 2, columns // 2
            grown = F.pad(grown, (left, columns - left, top, rows - top))
        out: Tensor = self.conv(torch.cat([fine, grown], dim=1))
        return out


class PlainUnet(nn.Module):
    """Four levels down and up, each of twice as many filters as the finer one.

    Source: Ronneberger et al., U-Net, 2015, padded and with batch norms, as it is mostly used; its
    tensors have the names of github.com/milesial/Pytorch-UNet, with transposed convolutions.

    Parameters
    ----------
    width
        Filters of the finest level; published: 64.
    outputs
        Logits per pixel.
    """

    def __init__(self, width: int = 64, outputs: int = 1) -> None:
        super().__init__()
        self.inc = DoubleConv(3, width)
        self.down1, self.down2 = Down(width, 2 * width), Down(2 * width, 4 * width)
        self.down3, self.down4 = Down(4 * width, 8 * width), Down(8 * width, 16 * width)
        self.up1, self.up2 = Up(16 * width, 8 * width), Up(8 * width, 4 * width)
        self.up3, self.up4 = Up(4 * width, 2 * width), Up(2 * width, width)
        self.outc = nn.ModuleDict({"conv": nn.Conv2d(width, outputs, 1)})

    def forward(self, x: Tensor) -> Prediction:
        """Predict for a normalised batch (B, 3, h, w); h and w at least 16."""
        levels = [self.inc(x)]
        for down in (self.down1, self.down2, self.down3, self.down4):
            levels.append(down(levels[-1]))
        y = levels.pop()
        for up in (self.up1, self.up2, self.up3, self.up4):
            y = up(y, levels.pop())
        return Prediction(self.outc["conv"](y))
