"""Mistakes in a configuration stop at the start, with one line that names them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..tree import SMALL, Tree

AREA = {"tiles": ["31TCG"], "years": [2019]}


MISTAKES: list[tuple[dict[str, Any], str]] = [
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
    (
        {"products": "build/catalogue/products.csv"},
        "products: build/catalogue/products.csv is made by this build, which would replace it",
    ),
    (
        {"splits": "results/sen4agrinet/splits.csv"},
        "splits: results/sen4agrinet/splits.csv is made by this build, which would replace it",
    ),
]


@pytest.fixture(scope="module")
def said(root: Path, built: Tree, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a clone in which a build was made says to each of the mistakes."""
    folder = tmp_path_factory.mktemp("configurations")
    files = [folder / f"{number}.yaml" for number in range(len(MISTAKES))]
    for file, (changes, _) in zip(files, MISTAKES, strict=True):
        file.write_text(yaml.safe_dump(SMALL | changes), encoding="utf-8")
    program, environment = root / "tests/workflow/print_mistakes.py", os.environ | {"PYTHONPATH": str(root / "src")}
    command = [sys.executable, program, built.folder / "Snakefile", *files]
    done = subprocess.run(command, cwd=built.folder, env=environment, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[message[:30] for _, message in MISTAKES])
def test_mistake_stops_at_the_start(said: list[str], number: int) -> None:
    assert said[number].startswith(f"ConfigError: configuration: {MISTAKES[number][1]}")


def test_home_is_found_in_the_folder(fresh: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "products").mkdir()
    settings = {key: value for key, value in SMALL.items() if key != "simulation"}
    changed = settings | {"provider": "folder", "folder": "~/products"}
    (fresh.folder / "config.yaml").write_text(yaml.safe_dump(changed))
    (fresh.folder / "archive/declarations").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    done = fresh.snakemake("--dry-run", "build/catalogue/s2_l1c/31TCG_2019.json")
    assert done.returncode == 0, done.stdout
