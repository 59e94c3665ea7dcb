"""Write the COCO files of a Sen4AgriNet scenario: which patches train, validate and test, and their parcels.

The published loader reads `images` only. An annotation is one parcel, encoded from the `parcels` raster, so that it
decodes to exactly those pixels, holes included; polygons by pycocotools' own rule differ in 1.4 % of pixels.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pycocotools import mask as rle

from cropstack.errors import LayoutError
from cropstack.files import read_attributes, read_csv
from cropstack.layouts.coco import write_coco
from cropstack.legend import CropClass, read_classes
from cropstack.step import step

SPLITS = ("train", "val", "test")


def write_sen4agrinet_coco(
    splits: Path, patches: list[Path], classes: Path, train: Path, val: Path, test: Path, *, scenario: str
) -> None:
    """Write one COCO file per split of a scenario.

    Parameters
    ----------
    splits : table of `assign_splits`; only rows of `scenario` count, and of those only samples that have a file
        (one without any date has none; check_layout accounts for it).
    patches : folders ``data/<year>/<tile>``; file names in the COCO files are relative to ``data``.

    Notes
    -----
    Image and annotation ids count from 1 in order of file name over the three files, so that they can be joined.

    Raises
    ------
    LayoutError : a parcel with two classes, or with a class outside the taxonomy.
    """
    files = {file.stem: file for folder in patches for file in sorted(folder.glob("*.nc"))}
    split_of = read_splits(splits, scenario)
    crops = read_classes(classes)
    images = [image_of(files[stem], number) for number, stem in enumerate(sorted(set(files) & set(split_of)), start=1)]
    licences = _licences(images)
    outputs = dict(zip(SPLITS, (train, val, test), strict=True))
    next_id = 1
    for split in SPLITS:
        chosen = [image for image in images if split_of[Path(image["file_name"]).stem] == split]
        head = {"info": _info(chosen, scenario, split), "licenses": licences, "images": chosen}
        head["categories"] = categories_of(crops)
        found = (
            {"image_id": image["id"], **annotation}
            for image in chosen
            for annotation in annotations_of(files[Path(image["file_name"]).stem], crops)
        )
        next_id = write_coco(outputs[split], head, found, first_id=next_id)
        print(f"{scenario} {split}: {len(chosen)} patches")


def read_splits(path: Path, scenario: str) -> dict[str, str]:
    """Split by sample of one scenario of `splits.csv`."""
    rows = read_csv(path, ["scenario", "sample", "split"])
    return {row["sample"]: row["split"] for row in rows if row["scenario"] == scenario}


def image_of(file: Path, number: int) -> dict[str, Any]:
    """COCO image of a patch file; `license` is its text, replaced by an id once all are known."""
    with h5py.File(file) as patch:
        attributes = read_attributes(patch)
        height, width = patch["labels/labels"].shape
    return {
        "id": number,
        "file_name": "/".join(file.parts[-3:]),
        "height": height,
        "width": width,
        "date_captured": attributes["patch_year"],
        "license": _joined(attributes, "labels_licence", "labels_mapping_licence"),
        "attribution": _joined(attributes, "source", "labels_mapping_attribution"),
    }


def _joined(attributes: dict[str, Any], *names: str) -> str:
    return "; ".join(attributes[name] for name in names if name in attributes)


def _licences(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """List the licences and put their ids into the images."""
    names = sorted({image["license"] for image in images})
    for image in images:
        image["license"] = names.index(image["license"]) + 1
    return [{"id": number, "name": name} for number, name in enumerate(names, start=1)]


def _info(images: list[dict[str, Any]], scenario: str, split: str) -> dict[str, str]:
    return {
        "description": f"Sen4AgriNet patches, {scenario}, {split}",
        "version": "21.03",
        "year": " ".join(sorted({image["date_captured"] for image in images})),
        "contributor": "cropstack",
    }


def categories_of(crops: dict[int, CropClass]) -> list[dict[str, Any]]:
    """All classes of the taxonomy by COCO id."""
    ranked = sorted(crops.values(), key=lambda crop: crop.coco_id)
    return [{"supercategory": "Crop", "name": crop.name, "id": crop.coco_id} for crop in ranked]


def annotations_of(file: Path, crops: dict[int, CropClass]) -> Iterator[dict[str, Any]]:
    """COCO annotations of a patch file, one per parcel in order of parcel number, without ids.

    `segmentation` is run-length encoded, `area` in pixels, `bbox` x, y, width, height in pixels.
    """
    with h5py.File(file) as patch:
        labels, parcels = patch["labels/labels"][...], patch["parcels/parcels"][...]
    for parcel, code in parcel_classes(labels, parcels, origin=str(file)).items():
        if code not in crops:
            raise LayoutError(f"{file}: parcel {parcel} has class {code}, which is not in the taxonomy. Add it there.")
        encoded = rle.encode(np.asfortranarray(parcels == parcel, np.uint8))
        yield {
            "category_id": crops[code].coco_id,
            "iscrowd": 0,
            "segmentation": {"size": list(parcels.shape), "counts": encoded["counts"].decode("ascii")},
            "bbox": rle.toBbox(encoded).tolist(),
            "area": int(rle.area(encoded)),
        }


def parcel_classes(labels: np.ndarray, parcels: np.ndarray, *, origin: str) -> dict[int, int]:
    """Class code by parcel number (0, no parcel, left out), from rasters of the same shape."""
    numbers, first, inverse = np.unique(parcels, return_index=True, return_inverse=True)
    codes = labels.ravel()[first]
    differs = codes[inverse.ravel()] != labels.ravel()
    if differs[parcels.ravel() != 0].any():
        parcel = parcels.ravel()[differs & (parcels.ravel() != 0)][0]
        found = np.unique(labels[parcels == parcel]).tolist()
        raise LayoutError(f"{origin}: parcel {parcel} has the classes {found}; expected one. Make the labels again.")
    return {number: code for number, code in zip(numbers.tolist(), codes.tolist(), strict=True) if number}


if __name__ == "__main__":
    step(write_sen4agrinet_coco, snakemake)  # noqa: F821
