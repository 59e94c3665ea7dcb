import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from pycocotools import mask as rle
from pycocotools.coco import COCO

from cropstack.errors import LayoutError
from cropstack.layouts.coco import read_coco
from cropstack.layouts.write_sen4agrinet_coco import parcel_classes, write_sen4agrinet_coco
from cropstack.legend import read_classes

DATES = ["04-12", "07-01"]
# pycocotools 2.0 decodes through an __array__ that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, build: SimpleNamespace) -> SimpleNamespace:
    return build.dataset(tmp_path_factory.mktemp("coco"), DATES)


def files_of(dataset: SimpleNamespace) -> list[Path]:
    return sorted(dataset.result("").glob("*_coco_*.json"))


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_masks_decode_to_the_parcels_raster(dataset: SimpleNamespace, split: str) -> None:
    coco = COCO(dataset.result(f"scenario1_coco_{split}.json"))
    assert coco.imgs
    for image in coco.imgs.values():
        with h5py.File(dataset.result("data") / image["file_name"]) as patch:
            parcels, labels = patch["parcels/parcels"][...], patch["labels/labels"][...]
        numbers = [number for number in np.unique(parcels).tolist() if number]
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        assert len(annotations) == len(numbers)
        for number, annotation in zip(numbers, annotations, strict=True):
            mask = coco.annToMask(annotation)
            np.testing.assert_array_equal(mask, parcels == number)
            rows, columns = np.nonzero(mask)
            width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
            assert annotation["bbox"] == [columns.min(), rows.min(), width, height]
            assert annotation["area"] == mask.sum()
            assert annotation["iscrowd"] == 0
            assert {annotation["category_id"]} == coco_ids(labels[parcels == number])


def coco_ids(codes: np.ndarray) -> set[int]:
    """Rank of a code in the published list, from the file of the taxonomy."""
    crops = read_classes(Path(__file__).parents[2] / "taxonomy/classes.csv")
    return {crops[code].coco_id for code in np.unique(codes).tolist()}


def test_a_parcel_of_unknown_crop_has_category_168(dataset: SimpleNamespace) -> None:
    found = Counter()
    for path in files_of(dataset):
        found += Counter(a["category_id"] for a in json.loads(path.read_text())["annotations"])
    assert found[168] > 0  # code 998 of the rasters
    assert found[2] > 0  # wheat, 110


def test_images_carry_the_published_keys(dataset: SimpleNamespace) -> None:
    data = json.loads(dataset.result("scenario2_coco_test.json").read_text())
    assert sorted(data) == ["annotations", "categories", "images", "info", "licenses"]
    assert [image["file_name"] for image in data["images"]] == [
        f"2019/31TCJ/2019_31TCJ_patch_{place}.nc" for place in ("00_00", "00_01", "01_00", "01_01")
    ]
    assert {image["date_captured"] for image in data["images"]} == {"2019"}
    assert {(image["height"], image["width"]) for image in data["images"]} == {(366, 366)}
    licences = {licence["id"]: licence["name"] for licence in data["licenses"]}
    assert {licences[image["license"]] for image in data["images"]} == {"Open FR"}
    assert [category["id"] for category in data["categories"]] == list(range(1, 169))


def test_files_of_a_scenario_share_no_id_and_no_patch(dataset: SimpleNamespace) -> None:
    for kind, key in (("images", "id"), ("images", "file_name"), ("annotations", "id")):
        found = [
            item[key]
            for split in ("train", "val", "test")
            for item in json.loads(dataset.result(f"scenario1_coco_{split}.json").read_text())[kind]
        ]
        assert len(found) == len(set(found))
        assert found


def test_a_sample_without_a_file_is_not_listed(dataset: SimpleNamespace) -> None:
    """Patch (1, 1) of 2019 has no date, so no file; its place is split all the same."""
    assert "2019_31TCG_patch_01_01" in dataset.result("splits.csv").read_text()
    names = [image["file_name"] for path in files_of(dataset) for image in read_coco(path).head["images"]]
    assert not [name for name in names if "2019_31TCG_patch_01_01" in name]
    assert [name for name in names if "2020_31TCG_patch_01_01" in name]


def test_two_writes_give_equal_bytes(dataset: SimpleNamespace, root: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / f"scenario1_coco_{split}.json" for split in ("train", "val", "test")]
    folders = dataset.per_tile_year(dataset.patches)[::-1]
    classes = root / "taxonomy/classes.csv"
    write_sen4agrinet_coco(dataset.result("splits.csv"), folders, classes, *outputs, scenario="scenario1")
    for path in outputs:
        assert path.read_bytes() == dataset.result(path.name).read_bytes()


def test_an_empty_split_is_a_valid_file(dataset: SimpleNamespace, root: Path, tmp_path: Path) -> None:
    rows = dataset.result("splits.csv").read_text().splitlines()
    splits = tmp_path / "splits.csv"
    splits.write_text("\n".join(row for row in rows if ",test," not in row) + "\n")
    outputs = [tmp_path / f"{split}.json" for split in ("train", "val", "test")]
    classes = root / "taxonomy/classes.csv"
    write_sen4agrinet_coco(splits, dataset.per_tile_year(dataset.patches), classes, *outputs, scenario="scenario1")
    data = json.loads(outputs[2].read_text())
    assert (data["images"], data["annotations"]) == ([], [])
    assert read_coco(outputs[2]).annotations == Counter()


def test_a_parcel_with_two_classes_is_refused() -> None:
    labels = np.array([[110, 110], [120, 0]])
    with pytest.raises(LayoutError, match=r"parcel 5 has the classes \[110, 120\]"):
        parcel_classes(labels, np.array([[5, 5], [5, 0]]), origin="x.nc")
    assert parcel_classes(labels, np.array([[5, 5], [6, 0]]), origin="x.nc") == {5: 110, 6: 120}


def test_a_cut_coco_file_is_named(dataset: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text(dataset.result("scenario1_coco_train.json").read_text()[:-40])
    with pytest.raises(LayoutError, match=r"cut\.json: not a COCO file of ours"):
        read_coco(path)


def test_run_lengths_keep_holes() -> None:
    ring = np.ones((5, 5), np.uint8)
    ring[2, 2] = 0
    encoded = rle.encode(np.asfortranarray(ring))
    np.testing.assert_array_equal(rle.decode(encoded), ring)
