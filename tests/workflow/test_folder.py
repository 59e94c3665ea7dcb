"""A user's folder of products: what a new acquisition reruns."""

import re
import shutil
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest

from ..tree import SMALL, Tree, copy_of_the_workflow

EXPERIMENTS = ["scenario1_unet", "scenario1_tempcnn", "scenario1_ndvi_neighbour"]


@pytest.fixture
def user(root: Path, built: Tree, tmp_path: Path) -> Tree:
    """A clone with the small build's declarations and an empty folder of products."""
    settings = {key: value for key, value in SMALL.items() if key != "simulation"}
    settings |= {"provider": "folder", "folder": "my products", "training": {"leave_out": EXPERIMENTS}}
    tree = copy_of_the_workflow(root, tmp_path / "clone", settings)
    (tree.folder / "my products").mkdir()
    shutil.copytree(built.folder / "archive/simulated/declarations", tree.folder / "archive/declarations")
    return tree


def finished(log: str) -> Counter[str]:
    """How many jobs of each rule a run finished."""
    return Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", log, re.MULTILINE))


def test_a_new_acquisition_reads_one_scene_and_assembles_anew(built: Tree, user: Tree) -> None:
    products = sorted((built.folder / "archive/simulated/31TCG_2019").glob("*.SAFE"))
    used = [path.stem for path in sorted((built.folder / "archive/products").glob("*.SAFE"))]
    late = next(path for path in products if path.stem == used[-1])
    for path in products:
        if path != late:
            shutil.copytree(path, user.folder / "my products" / path.name)
    first = finished(user.build("datasets"))
    assert first["read_s2"] == len(list(built.folder.glob("build/scenes/s2_l1c/*.nc"))) - 1
    labels = (user.folder / "build/labels/31TCG_2019_labels.nc").stat().st_mtime_ns
    shutil.copytree(late, user.folder / "my products" / late.name)
    second = finished(user.build("datasets"))
    assert second == Counter(
        ["search_catalogue", "lock_products", "fetch_product", "read_s2", "write_sen4agrinet", "check_layout"]
        + ["aggregate_parcels", "composite_parcels", "write_sen4agrinet_parcels"]
        + ["write_sen4agrinet_coco"] * first["write_sen4agrinet_coco"]
        + ["write_sen4agrinet_months"] * first["write_sen4agrinet_months"]
        + ["datasets"]
    )
    assert (user.folder / "build/labels/31TCG_2019_labels.nc").stat().st_mtime_ns == labels
    for file in sorted((built.folder / "results/sen4agrinet/data/2019/31TCG").glob("*.nc")):
        with h5py.File(file) as ours, h5py.File(user.folder / file.relative_to(built.folder)) as theirs:
            np.testing.assert_array_equal(theirs["B02/time"], ours["B02/time"])
            np.testing.assert_array_equal(theirs["B02/B02"], ours["B02/B02"])
    assert "Nothing to be done" in user.build("datasets")
