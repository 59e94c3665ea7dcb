import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cropstack import step as step_module
from cropstack.errors import ConfigError
from cropstack.step import bind, code_of, is_snakemake, run


def job(log: Path, *, inputs: dict[str, Any], outputs: dict[str, Any], params: dict[str, Any]) -> Any:
    """What Snakemake hands to a script, as far as a step looks at it."""
    return SimpleNamespace(input=inputs, output=outputs, params=params, threads=3, log=[str(log)])


# --- binding ------------------------------------------------------------------------------------------


def test_names_of_the_rule_become_arguments(tmp_path: Path) -> None:
    def read(products: list[Path], replay: list[Path], scene: Path, *, tile: str, threads: int) -> None: ...

    found = bind(
        read,
        job(
            tmp_path / "log",
            inputs={"products": ["a.json"], "replay": []},
            outputs={"scene": "s.nc"},
            params={"tile": "31TCG", "code": "0123"},
        ),
    )
    assert found == {"products": [Path("a.json")], "replay": [], "scene": Path("s.nc"), "tile": "31TCG", "threads": 3}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tile": "31TCG", "size_px": 366}, r"rule and signature differ in \['size_px'\]"),
        ({}, r"rule and signature differ in \['tile'\]"),
        ({"tile": "31TCG", "scene": "s.nc"}, "a name stands twice in the rule"),
    ],
)
def test_a_rule_that_differs_from_its_function_is_refused(tmp_path: Path, params: dict[str, Any], message: str) -> None:
    def read(scene: Path, *, tile: str) -> None: ...

    with pytest.raises(TypeError, match=message):
        bind(read, job(tmp_path / "log", inputs={}, outputs={"scene": "s.nc"}, params=params))


# --- what a step says and returns ---------------------------------------------------------------------


def test_prints_go_to_the_terminal_and_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def count() -> None:
        print("12 patches")
        print("one left out", file=sys.stderr)

    assert run(count, job(tmp_path / "log", inputs={}, outputs={}, params={})) == 0
    assert (tmp_path / "log").read_text() == "12 patches\none left out\n"
    assert capfd.readouterr() == ("12 patches\n", "one left out\n")


def test_a_user_error_is_one_line_and_status_1(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ConfigError('configuration: unknown key "yeers"')

    assert run(fail, job(tmp_path / "log", inputs={}, outputs={}, params={})) == 1
    assert (tmp_path / "log").read_text() == 'ConfigError: configuration: unknown key "yeers"\n'
    assert capfd.readouterr().err == 'ConfigError: configuration: unknown key "yeers"\n'


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    def fail() -> None:
        raise ZeroDivisionError("no pixels")

    assert run(fail, job(tmp_path / "log", inputs={}, outputs={}, params={})) == 1
    text = (tmp_path / "log").read_text()
    assert "test_step.py" in text
    assert text.endswith("ZeroDivisionError: no pixels\n")


def test_a_message_is_shown_also_when_the_log_does_not_fit(small_disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        (small_disk / "full").write_bytes(bytes((2 << 20) - 8192))
        print("x" * 100_000)
        raise ConfigError("the end")

    assert run(fail, job(small_disk / "log", inputs={}, outputs={}, params={})) == 1
    shown = capfd.readouterr()
    assert "No space left on device" in shown.out
    assert shown.err.startswith("ConfigError: the end")


# --- the watch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("snakemake --cores all", True),
        ("/home/a/.venv/bin/python3.11 .venv/bin/snakemake --cores all", True),
        ("python -m snakemake --mode subprocess", True),
        ("python3 -X dev -W error -I -u -m snakemake", True),
        ("python -Im snakemake", True),
        ("python --check-hash-based-pycs never /opt/snakemake/bin/snakemake", True),
        ("python /opt/snakemake/bin/pytest", False),
        ("python -m pytest snakemake", False),
        ("python -c snakemake", False),
        ("python snakemake/report.py snakemake", False),
        ("bash -c snakemake --cores all", False),
        ("vim snakemake", False),
        ("make snakemake", False),
        ("python", False),
        ("", False),
    ],
)
def test_only_snakemake_itself_is_taken_for_snakemake(command: str, expected: bool) -> None:
    assert is_snakemake([word.encode() for word in command.split(" ")] + [b""]) is expected


def test_a_step_without_a_living_snakemake_above_it_does_not_start(tmp_path: Path) -> None:
    script = "from cropstack.step import step; step(print, None); print('ran on')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "CropstackError: the Snakemake that started this step is gone. Steps are run by snakemake.\n"


# --- the code digest ----------------------------------------------------------------------------------

MODULES = {
    "__init__.py": '"""Package."""\n',
    "core.py": '"""Core."""\nSIZE_PX = 366\n',
    "other.py": "LIMIT = 1\n",
    "stage/__init__.py": "",
    "stage/kernel.py": "def half(x):\n    return x / 2\n",
    "stage/run.py": (
        '"""A step."""\nfrom cropstack.core import SIZE_PX\n\n\ndef run():\n'
        '    """Run it."""\n    from cropstack.stage import kernel\n    return kernel.half(SIZE_PX)\n'
    ),
    "stage/page.html": "<p>",
}


def digest_of(package: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> str:
    """code_of("stage.run") in a package that consists of MODULES with changes."""
    shutil.rmtree(package, ignore_errors=True)
    for name, text in {**MODULES, **changes}.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(textwrap.dedent(text))
    monkeypatch.setattr(step_module, "PACKAGE", package)
    for cached in (step_module._parse, step_module._imports, step_module._tree):
        cached.cache_clear()
    digest = code_of("stage.run")
    for cached in (step_module._parse, step_module._imports, step_module._tree):
        cached.cache_clear()
    return digest


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("core.py", '"""Another docstring."""\n# a comment\nSIZE_PX = 366  # pixels\n', False),
        ("stage/kernel.py", 'def half(x):\n    """Half."""\n\n    return x / 2\n', False),
        ("other.py", "LIMIT = 2\n", False),
        ("core.py", "SIZE_PX = 367\n", True),
        ("stage/kernel.py", "def half(x):\n    return x / 3\n", True),
        ("__init__.py", "import cropstack.other\n", True),
        ("stage/__init__.py", "VERSION = 2\n", True),
        ("stage/page.html", "<div>", True),
        ("stage/.page.html.swp", "x", False),
        ("stage/.#page.html", "x", False),
        ("stage/run.py~", "x", False),
        ("stage/run.py.orig", "x", False),
    ],
)
def test_the_code_digest_changes_with_the_code_that_a_step_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, changes: bool
) -> None:
    before = digest_of(tmp_path / "cropstack", monkeypatch, {})
    after = digest_of(tmp_path / "cropstack", monkeypatch, {file: text})
    assert (before != after) is changes


def test_every_module_named_beside_a_step_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest_of(tmp_path / "cropstack", monkeypatch, {})
    assert code_of("stage.run") != code_of("stage.run", "other")
