"""pyproject.toml, the lock, the conda environments and the imports of the code say the same."""

import ast
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

# Needed but imported by no module of the folder: name, why.
INDIRECT = {
    "pygments": "snakemake --report",
    "snakemake": "the workflow itself",
    "h5netcdf": "an engine of xarray, by name",
    "pytest-xdist": "a plugin of pytest",
    "pytorch-lightning": "S4A's dataset module",
    "tqdm": "S4A's dataset module",
}
# Distributions that are not called as what they hold.
DISTRIBUTIONS = {
    "odc.geo": "odc-geo",
    "odc.stac": "odc-stac",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}
APART = {"torch"}  # installed first, by pip: in no lock
S4A = {"patches_dataset", "utils"}  # modules of S4A's own checkout


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def lock(root: Path) -> str:
    return (root / "requirements.txt").read_text()


@pytest.fixture(scope="module")
def locked(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock, flags=re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in requirements} - {"cropstack"}


def imported(folder: Path) -> set[str]:
    """Distributions of the modules that the Python files of a folder import, without ours and the standard library."""
    modules: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(str(node.module))
    ours = {path.stem for path in folder.rglob("*.py")} | {"cropstack"}
    tops = {module: module.partition(".")[0] for module in modules}
    foreign = {module for module, top in tops.items() if top not in ours | sys.stdlib_module_names}
    names = {".".join(module.split(".")[:2]) if tops[module] == "odc" else tops[module] for module in foreign}
    return {DISTRIBUTIONS.get(name, name.lower()) for name in names}


def test_the_lock_names_no_host_no_path_and_no_option(lock: str) -> None:
    lines = [line for line in lock.splitlines() if not re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)]
    wrong = [line for line in lines if not re.fullmatch(r"[a-z0-9._-]+==[0-9a-z.]+( ; [^/:]+)?( \\)?", line)]
    assert wrong == []


def test_every_locked_package_has_hashes(lock: str, locked: dict[str, str]) -> None:
    blocks = re.findall(r"^\S+==.*(?:\n    --hash=\S+.*)+", lock, flags=re.MULTILINE)
    assert len(blocks) == len(locked) > 100


def test_every_direct_dependency_is_locked_and_torch_is_not(project: dict[str, Any], locked: dict[str, str]) -> None:
    extras = project["optional-dependencies"]
    direct = names(project["dependencies"]).union(*(names(lines) for lines in extras.values()))
    assert direct - set(locked) == set()
    assert [name for name in locked if name == "torch" or name.startswith(("nvidia", "cuda", "triton"))] == []


def test_torch_and_uv_are_pinned_where_they_are_installed(root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    assert re.findall(r"^(?:TORCH|UV) := (\S+)$", makefile, flags=re.MULTILINE) == ["torch==2.13.0", "uv==0.13.8"]


def test_conda_environments_equal_the_lock(root: Path, project: dict[str, Any], locked: dict[str, str]) -> None:
    """Each has cropstack's direct dependencies in the locked version; that of training has torch besides."""
    expected = {name: locked[name] for name in names(project["dependencies"])}
    expected["python"] = project["requires-python"].removeprefix(">=")
    assert sorted(file.name for file in (root / "envs").glob("*.yaml")) == ["cropstack.yaml", "train.yaml"]
    assert conda_pins(root / "envs/cropstack.yaml") == expected
    torch = re.search(r"^TORCH := torch==(\S+)$", (root / "Makefile").read_text(), flags=re.MULTILINE)
    assert torch
    assert conda_pins(root / "envs/train.yaml") == expected | {"pytorch": torch[1]}


def conda_pins(path: Path) -> dict[str, str]:
    return dict(line.split("=") for line in yaml.safe_load(path.read_text())["dependencies"])


def test_the_installed_versions_are_the_locked_ones(locked: dict[str, str]) -> None:
    assert {name: version(name) for name in locked} == locked


def test_what_the_package_imports_is_what_it_declares(root: Path, project: dict[str, Any]) -> None:
    assert imported(root / "src") - APART == names(project["dependencies"]) - set(INDIRECT)


def test_what_tests_and_benchmarks_import_is_declared(root: Path, project: dict[str, Any]) -> None:
    core, extras = names(project["dependencies"]), project["optional-dependencies"]
    test, bench = names(extras["test"]), names(extras["bench"])
    assert imported(root / "tests") - core - APART - S4A == test - set(INDIRECT)
    assert imported(root / "benchmarks") - core - test - APART - S4A == bench


def test_every_module_stands_in_the_import_contracts(root: Path) -> None:
    """A new stage or core module without a contract could import anything."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    contracts = {contract["name"]: contract for contract in settings["contracts"]}
    core, stages = contracts["Core imports only core"], contracts["Stages meet in files, never in imports"]
    apart, torch = contracts["Providers and models import only core"], contracts["torch stays in models and train"]
    parts = {path.stem for path in (root / "src/cropstack").iterdir() if path.suffix == ".py" or path.is_dir()}
    everywhere = {f"cropstack.{part}" for part in parts if not part.startswith("__")}
    command = {"cropstack.cli"}  # beside the stages: it may import any
    assert {*core["source_modules"], *stages["modules"], *apart["source_modules"]} == everywhere - command
    assert set(core["forbidden_modules"]) == {*stages["modules"], *apart["source_modules"]}
    assert set(apart["forbidden_modules"]) == set(stages["modules"])
    assert set(torch["source_modules"]) == everywhere - {"cropstack.models", "cropstack.train"}
