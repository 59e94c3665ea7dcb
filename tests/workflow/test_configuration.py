"""Mistakes in a configuration stop at the start, with one line that names them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import SMALL, Tree

AREA = {"tiles": ["31TCG"], "years": [2019]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"areas": {False: AREA}}, "areas: a country is false, as YAML reads it; expected a name. Put the country in"),
        ({"areas": {1: AREA}}, "areas: a country is 1, as YAML reads it"),
        (
            {"areas": {"es_ct": {"tiles": ["31TJG"], "years": [2019]}}},
            'areas: tile "31TJG": zone 31 has the columns ABCDEFGH',
        ),
        ({"products": "gone.csv"}, "products: gone.csv is no file; expected a products.csv of an earlier build"),
        (
            {"corine": {"file": "gone.tif", "year": 2018}},
            "corine: gone.tif is no file; expected CORINE Land Cover as GeoTIFF, GeoPackage or shapefile",
        ),
        ({"corine": {"file": "clc.tif"}}, "corine: 'year' is a required property"),
        ({"splits": "taxonomy"}, "splits: taxonomy is no file; expected a splits.csv of an earlier build"),
    ],
)
def test_mistake_stops_at_the_start(fresh: Tree, changes: dict[str, Any], message: str) -> None:
    (fresh.folder / "config.yaml").write_text(yaml.safe_dump(SMALL | changes))
    done = fresh.snakemake("--dry-run")
    assert done.returncode == 1
    assert f"ConfigError: configuration: {message}" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("key", "made"), [("products", "build/catalogue/products.csv"), ("splits", "results/sen4agrinet/splits.csv")]
)
def test_what_the_build_itself_makes_is_no_choice_to_repeat(fresh: Tree, key: str, made: str) -> None:
    (fresh.folder / made).parent.mkdir(parents=True)
    (fresh.folder / made).write_text("")
    (fresh.folder / "config.yaml").write_text(yaml.safe_dump(SMALL | {key: made}))
    done = fresh.snakemake("--dry-run")
    assert done.returncode == 1
    assert f"ConfigError: configuration: {key}: {made} is made by this build" in done.stdout


def test_home_is_found_in_the_folder(fresh: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "products").mkdir()
    settings = {key: value for key, value in SMALL.items() if key != "simulation"}
    changed = settings | {"provider": "folder", "folder": "~/products"}
    (fresh.folder / "config.yaml").write_text(yaml.safe_dump(changed))
    (fresh.folder / "archive/declarations").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    done = fresh.snakemake("--dry-run", "build/catalogue/s2_l1c/31TCG_2019.json")
    assert done.returncode == 0, done.stdout
