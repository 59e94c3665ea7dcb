"""Open a COCO file of ours with Sen4AgriNet's own PatchesDataset, run unmodified, and save random items.

Usage: drive_s4a.py <checkout of Orion-AI-Lab/S4A> <coco.json> <folder data> <items.npz> <number> <seed>
Runs in a process of its own: importing the data set seeds every generator and needs the checkout as first folder.
"""

import sys

import numpy as np


def main(checkout: str, coco: str, data: str, output: str, number: str, seed: str) -> None:
    sys.path.insert(0, checkout)
    from patches_dataset import PatchesDataset
    from pycocotools.coco import COCO
    from utils.config import LINEAR_ENCODER

    dataset = PatchesDataset(
        coco=COCO(coco), root_path_netcdf=data, bands=["B02", "B03", "B04", "B08"], linear_encoder=LINEAR_ENCODER,
        window_len=6, output_size=(61, 61), requires_norm=True, return_parcels=True, mode="test",
    )  # fmt: skip
    chosen = np.random.default_rng(int(seed)).choice(len(dataset), int(number), replace=False)
    items = [dataset[int(index)] for index in chosen]
    names = [dataset.coco.loadImgs(dataset.patch_ids[dataset.get_window(int(i))[1]])[0]["file_name"] for i in chosen]
    windows = [dataset.get_window(int(index)) for index in chosen]
    np.savez(
        output,
        length=len(dataset),
        names=names,
        start=[start for start, _, _ in windows],
        subpatch=[subpatch for _, _, subpatch in windows],
        encoder=sorted(LINEAR_ENCODER.items()),
        **{name: np.stack([item[name] for item in items]) for name in ("medians", "labels", "parcels")},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
