"""One token, five places: what every rule has in common with its module, function, test and log."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cropstack.step import OWN_PARAMS


@pytest.fixture(scope="module")
def rules(root: Path) -> dict[str, Any]:
    """Rules that run a script, by name."""
    command = [sys.executable, str(root / "tests/workflow/print_rules.py"), str(root / "Snakefile")]
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: rule for name, rule in json.loads(done.stdout).items() if rule["script"]}


def step_modules(root: Path) -> dict[str, Path]:
    """Modules that call step(), by name."""
    files = sorted((root / "src/cropstack").glob("*/*.py"))
    return {file.stem: file for file in files if "\n    step(" in file.read_text(encoding="utf-8")}


def signature(file: Path) -> list[str]:
    """Names of the arguments of the function that has its module's name."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == file.stem)
    return [argument.arg for argument in function.args.posonlyargs + function.args.args + function.args.kwonlyargs]


def test_every_step_has_a_rule_and_every_rule_its_step(root: Path, rules: dict[str, Any]) -> None:
    files = step_modules(root)
    assert {name: Path(rule["script"]).resolve() for name, rule in rules.items()} == files


def test_names_in_a_rule_are_the_names_in_the_signature(root: Path, rules: dict[str, Any]) -> None:
    for name, file in step_modules(root).items():
        assert rules[name]["unnamed"] == 0, f"{name}: an input, output or param has no name"
        threads = {"threads"} & set(signature(file))
        assert sorted({*rules[name]["names"], *threads} - OWN_PARAMS) == sorted(signature(file)), name


def test_every_rule_has_a_digest_of_its_code_a_log_of_its_name_and_an_environment(rules: dict[str, Any]) -> None:
    for name, rule in rules.items():
        assert len(rule["code"]) == 16, name
        assert [log.startswith(f"logs/{name}") for log in rule["logs"]] == [True], name
        environment = "train" if Path(rule["script"]).parent.name == "train" else "cropstack"
        assert rule["conda"] == f"../../envs/{environment}.yaml", name


def test_every_step_ends_with_its_call_and_has_a_test(root: Path) -> None:
    for name, file in step_modules(root).items():
        text = file.read_text(encoding="utf-8")
        assert text.endswith(f'if __name__ == "__main__":\n    step({name}, snakemake)  # noqa: F821\n'), name
        assert "from __future__" not in text, f"{name}: Snakemake puts code before it"
        assert (root / f"tests/{file.parent.name}/test_{name}.py").exists(), name
