"""Labels are made with tables under CC BY-SA 4.0: whatever holds them says so, also where the declaration is freer."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cropstack.files import set_attributes
from cropstack.labels.harmonise_parcels import MAPPING_ATTRIBUTION, MAPPING_LICENCE
from cropstack.layouts.patch_image import common_attributes
from cropstack.layouts.write_sen4agrinet_coco import image_of
from cropstack.report.page import read_templates, render
from cropstack.report.provenance import provenance

ROOT = Path(__file__).parents[2]
MAPPING = {"mapping_licence": MAPPING_LICENCE, "mapping_attribution": MAPPING_ATTRIBUTION}
OFFICE = {"country_code": "ES", "attribution": "Office 2019", "licence": "CC0"}


def test_the_readme_of_the_taxonomy_names_the_licence() -> None:
    text = " ".join((ROOT / "taxonomy/README.md").read_text(encoding="utf-8").split())
    assert f"are derived from Sen4AgriNet and EuroCrops and are licensed {MAPPING_LICENCE}**" in text


@pytest.mark.parametrize("share_alike", [0, 1])
def test_patches_are_share_alike_through_the_mapping(share_alike: int) -> None:
    said = common_attributes("31TCG", 2019, OFFICE | {"share_alike": share_alike} | MAPPING, "imagery")
    assert {name: said[name] for name in said if name.startswith("labels_")} == {
        "labels_share_alike": "yes",
        "labels_attribution": "Office 2019",
        "labels_licence": "CC0",
        "labels_mapping_licence": "CC BY-SA 4.0",
        "labels_mapping_attribution": MAPPING_ATTRIBUTION,
    }


def test_coco_names_both_licences(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "patch.nc", "w") as file:
        set_attributes(file, common_attributes("31TCG", 2019, OFFICE | {"share_alike": 0} | MAPPING, "imagery"))
        file["labels/labels"] = np.zeros((2, 2), "u4")
    image = image_of(tmp_path / "patch.nc", 1)
    assert image["license"] == "CC0; CC BY-SA 4.0"
    assert image["attribution"] == f"imagery; Office 2019; {MAPPING_ATTRIBUTION}"


def test_the_report_names_it_once(tmp_path: Path) -> None:
    parcels = {}
    for year in (2019, 2020):
        parcels["es_ct", year] = tmp_path / f"es_ct_{year}_parcels.parquet"
        table = pa.table({"id": ["1"]}).replace_schema_metadata({"cropstack": json.dumps({"year": year} | MAPPING)})
        pq.write_table(table, parcels["es_ct", year])
    inputs: Any = SimpleNamespace(
        scenes=[], products=[], tile_years=[], sources=[], files=SimpleNamespace(parcels=parcels)
    )
    templates = sorted((ROOT / "src/cropstack/report/templates").iterdir())
    html = render(read_templates(templates), "provenance", provenance(inputs))
    assert html.count(f"{MAPPING_ATTRIBUTION}. Licence: CC BY-SA 4.0. Derived data must carry the same licence.") == 1
