"""The U-Net of Sen4AgriNet's patch experiments.

Source: Sen4AgriNet, section VI-A: three layers, about 1.9 million parameters; months are concatenated along the
channels. 24 channels in (6 months × 4 bands) and 12 classes out (background and 11 crops) give 1,878,220.
"""

import torch
from torch import Tensor, nn

WIDTHS = (64, 128, 256)


class UNet(nn.Module):
    """U-Net with three levels of 64, 128 and 256 channels.

    Parameters
    ----------
    months, features : first two dimensions of a series; features are bands.
    classes : classes to tell apart, background not counted.
    """

    def __init__(self, *, months: int, features: int, classes: int) -> None:
        super().__init__()
        inputs = (months * features, *WIDTHS[:-1])
        self.down = nn.ModuleList(_double_convolution(i, o) for i, o in zip(inputs, WIDTHS, strict=True))
        self.pool = nn.MaxPool2d(2)
        rising = WIDTHS[:0:-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(width, width // 2, 2, stride=2) for width in rising)
        self.merge = nn.ModuleList(_double_convolution(width, width // 2) for width in rising)
        self.head = nn.Conv2d(WIDTHS[0], classes + 1, 1)

    def forward(self, series: Tensor) -> Tensor:
        """Log-probabilities (n, 1 + classes, y, x), background first, of series (n, months, features, y, x)."""
        features = series.flatten(1, 2)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(self.pool(features) if level else features)
            skips.append(features)
        for up, merge, skip in zip(self.up, self.merge, reversed(skips[:-1]), strict=True):
            features = merge(torch.cat([skip, _pad_to(up(features), skip)], dim=1))
        return nn.functional.log_softmax(self.head(features), dim=1)


def _double_convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        layers += [nn.Conv2d(channels, channels_out, 3, padding=1), nn.BatchNorm2d(channels_out), nn.ReLU()]
    return nn.Sequential(*layers)


def _pad_to(features: Tensor, like: Tensor) -> Tensor:
    """Pad with zeros, evenly on both sides, to the height and width of `like`."""
    height, width = (big - small for big, small in zip(like.shape[-2:], features.shape[-2:], strict=True))
    return nn.functional.pad(features, (width // 2, width - width // 2, height // 2, height - height // 2))
