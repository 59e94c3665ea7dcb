"""Layout of many-dimensional samples in two dimensions by UMAP, the same on every run of one machine."""

import numpy as np

NEIGHBOURS = 15  # UMAP's own default; the paper names no setting
FEWEST = 2 * NEIGHBOURS  # of fewer samples most are neighbours of each other, and a picture would tell nothing


def lay_out(features: np.ndarray, *, seed: int) -> np.ndarray:
    """Places (n, 2), float32, of samples (n, features) without NaN; NaN where there are fewer than `FEWEST`.

    One thread and a fixed seed. Distances are Euclidean, the features as they come.

    Source: McInnes, Healy, Melville, UMAP, 2018; the package umap-learn with its default settings.
    """
    if len(features) < FEWEST:
        print(f"{len(features)} samples are too few to lay out; expected {FEWEST} or more")
        return np.full((len(features), 2), np.nan, np.float32)
    # Imports numba, scikit-learn and pynndescent: seconds which no other step should wait for.
    from umap import UMAP

    layout = UMAP(n_neighbors=NEIGHBOURS, random_state=seed, n_jobs=1)  # more jobs would not repeat themselves
    places: np.ndarray = layout.fit_transform(features)
    return places.astype(np.float32)
