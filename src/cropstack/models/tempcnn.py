"""TempCNN: convolutions over time on a parcel's series.

Source: Pelletier, Webb, Petitjean 2019, as Sen4AgriNet uses it (section VI-B, about 719 thousand parameters):
26 features (mean and standard deviation of 13 bands), 7 months and 11 classes give 719,755.
"""

from torch import Tensor, nn

CHANNELS = 128
HIDDEN = 512
KERNEL = 7
DROPOUT = 0.2


class TempCNN(nn.Module):
    """Three convolutions of kernel 7 over time and one hidden layer.

    Parameters
    ----------
    months, features : shape of a series.
    classes : classes to tell apart.
    """

    def __init__(self, *, months: int, features: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (features, CHANNELS, CHANNELS):
            convolution = nn.Conv1d(channels, CHANNELS, KERNEL, padding=KERNEL // 2)
            layers += [convolution, nn.BatchNorm1d(CHANNELS), nn.ReLU(), nn.Dropout(DROPOUT)]
        self.convolutions = nn.Sequential(*layers)
        self.hidden = nn.Sequential(
            nn.Linear(CHANNELS * months, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT)
        )
        self.head = nn.Linear(HIDDEN, classes)

    def forward(self, series: Tensor) -> Tensor:
        """Log-probabilities (n, classes) of series (n, months, features)."""
        features = self.convolutions(series.transpose(1, 2)).flatten(1)
        return nn.functional.log_softmax(self.head(self.hidden(features)), dim=1)
