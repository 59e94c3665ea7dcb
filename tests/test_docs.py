"""What the documentation says is so: files of rules, columns of tables, links, examples, and figures of benchmarks."""

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from cropstack.bands import FLAGS, S2_BANDS
from cropstack.catalogue import lock_products
from cropstack.errors import LedgerRow
from cropstack.labels import assess_labels, geoparquet
from cropstack.layouts import balance
from cropstack.report import describe_tile
from cropstack.samples import select_classes
from cropstack.schema import validate
from cropstack.simulate import simulate_products
from cropstack.splits import assign_parcel_splits, assign_splits

PAGES = ["README.md", "CONTRIBUTING.md", "docs", "benchmarks/README.md", "taxonomy/README.md"]
COLUMNS = {  # by the file whose section of docs/formats.md names them
    "archive/simulated/{tile}_{year}.json": simulate_products.TRUTH_COLUMNS,
    "build/catalogue/products.csv": lock_products.COLUMNS,
    "build/scenes/{collection}/{scene}.nc": [*FLAGS, *(band.name for band in S2_BANDS)],
    "build/labels/{cc}_{year}_ledger.csv": [field.name for field in fields(LedgerRow)],
    "build/labels/{tile}_{year}_quality.csv": assess_labels.QUALITY_COLUMNS,
    "results/{recipe}/splits.csv": assign_splits.COLUMNS,
    "results/{recipe}/parcel_splits.csv": assign_parcel_splits.SCHEMA.names,
    "results/{recipe}/split_coverage.csv": assign_parcel_splits.COVERAGE,
    "results/{recipe}/leakage.csv": assign_parcel_splits.LEAKAGE,
    "results/{recipe}/classes.csv": select_classes.COLUMNS,
    "results/{recipe}/balance.csv": balance.COLUMNS,
    "build/report/{recipe}/{tile}_{year}_scenes.csv": [*describe_tile.TEXTS, "cloud_cover", *describe_tile.VALID],
    "build/report/{recipe}/{tile}_{year}_patches.parquet": describe_tile.PATCH_SCHEMA.names,
}


@pytest.fixture(scope="module")
def sections(root: Path) -> dict[str, str]:
    """Text of docs/formats.md by the file that its heading names; files with headings in a row share theirs."""
    parts = re.split(r"^### (.+)$", (root / "docs/formats.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found, text = {}, ""
    for heading, body in reversed(list(zip(parts[1::2], parts[2::2], strict=True))):
        text = body if body.strip() else text
        found |= dict.fromkeys(re.findall("`([^`]+)`", heading), text)
    return found


@pytest.fixture
def run_all(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module benchmarks/run_all.py."""
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    return importlib.import_module("run_all")


def pages(root: Path) -> list[Path]:
    """All pages of documentation."""
    named = [root / name for name in PAGES]
    return [page for path in named for page in (sorted(path.glob("*.md")) if path.is_dir() else [path])]


def blocks(page: Path, language: str) -> Iterable[str]:
    """Fenced blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_every_file_that_a_rule_makes_is_described_under_the_rule_s_name(root: Path, sections: dict[str, str]) -> None:
    command = [sys.executable, str(root / "tests/workflow/print_rules.py"), str(root / "Snakefile")]
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rules: dict[str, Any] = json.loads(done.stdout)
    made = {file: name for name, rule in rules.items() for file in rule["outputs"]}
    assert len(made) > 30
    assert sorted(set(made) - set(sections)) == []
    unnamed = [
        file for file, name in made.items() if f"`{name}`" not in sections[file] and "Same rule" not in sections[file]
    ]
    assert unnamed == []


@pytest.mark.parametrize("file", COLUMNS)
def test_every_column_that_the_code_writes_is_described(sections: dict[str, str], file: str) -> None:
    words = set(re.findall(r"\w+", sections[file]))
    assert [column for column in COLUMNS[file] if column not in words] == []


def test_columns_of_parcels_have_the_types_that_are_described(sections: dict[str, str]) -> None:
    rows = sections["build/labels/{cc}_{year}_parcels.parquet"].splitlines()
    for column in geoparquet.COLUMNS:
        row = next(row for row in rows if row.startswith("|") and f"`{column.name}`" in row)
        assert str(column.type) in row, column


def test_links_between_pages_lead_to_files(root: Path) -> None:
    for page in pages(root):
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        missing = [link for link in links if not link.startswith("https://") and not (page.parent / link).exists()]
        assert missing == [], page


def test_configurations_in_the_pages_are_valid(root: Path) -> None:
    examples = [(page, block) for page in pages(root) for block in blocks(page, "yaml")]
    assert len(examples) >= 2
    for page, block in examples:
        validate(yaml.safe_load(block), root / "workflow/schemas/config.schema.yaml", origin=str(page))


def test_the_readme_is_short_and_its_figures_are_those_of_the_benchmarks_page(root: Path, run_all: ModuleType) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    page = (root / "docs/benchmarks.md").read_text(encoding="utf-8")
    tables = [text.partition(run_all.BEGIN)[2].partition(run_all.END)[0] for text in (readme, page)]
    assert tables[0] == tables[1] != ""
    assert len(readme.splitlines()) <= 130


def test_every_benchmark_with_figures_stands_on_the_page(root: Path, run_all: ModuleType) -> None:
    files = sorted((root / "benchmarks").glob("*.py"))
    measured = {file.stem for file in files if '"--json"' in file.read_text(encoding="utf-8")}
    assert {benchmark.name for benchmark in run_all.BENCHMARKS} == measured - {"run_all"}


def test_a_bar_that_is_missed_is_marked(run_all: ModuleType) -> None:
    assert run_all.Bar("time", 1.09, 1.1).cells() == ["time", "1.09", "≤ 1.1", "yes"]
    assert run_all.Bar("time", 1.1049, 1.1).cells() == ["time", "1.105", "≤ 1.1", "**no**"]
    assert run_all.Bar("speed", 99.96, 100, at_least=True).cells() == ["speed", "99.96", "≥ 100", "**no**"]
