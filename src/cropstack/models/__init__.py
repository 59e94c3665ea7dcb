"""The papers' models; imported by `train` only.

A model is built from the shape of a sample and the number of classes, and gives log-probabilities (n, classes, …); a
model with a background puts that first, before the classes.
"""

from collections.abc import Callable

from torch import nn

from cropstack.models.tempcnn import TempCNN
from cropstack.models.unet import UNet

MODELS: dict[str, Callable[..., nn.Module]] = {"tempcnn": TempCNN, "unet": UNet}
