"""The `cropstack` command: what it prints and its exit status."""

import subprocess
import sys
from pathlib import Path

import pytest

from cropstack.cli import BAD_INPUT, FINE, PROBLEMS, main

COUNTRIES = sorted(path.parent.name for path in Path(__file__).parents[1].glob("taxonomy/countries/*/source.yaml"))


@pytest.fixture
def repository(root: Path, tmp_path: Path) -> Path:
    """A repository of which the countries can be written to."""
    folder = tmp_path / "repository"
    (folder / "taxonomy/countries").mkdir(parents=True)
    for name in ("taxonomy/classes.csv", "taxonomy/hcat3.csv", "taxonomy/countries/fr", "workflow"):
        (folder / name).symlink_to(root / name)
    return folder


@pytest.mark.parametrize("cc", COUNTRIES)
def test_every_country_of_the_repository_passes_the_check(
    root: Path, cc: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["country", "check", cc, "--root", str(root)])
    printed = capsys.readouterr()
    assert (status, printed.err) == (FINE, ""), printed.out
    assert printed.out.endswith("\nok\n")


def test_a_new_country_has_problems_until_it_is_reviewed(
    repository: Path, realdata: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(realdata / "lpis/fiboa-cli/nl/brpgewaspercelen_definitief_2023.gpkg")
    root = ["--root", str(repository)]
    given = ["--licence", "CC0", "--attribution", "RVO, BRP {year}"]
    assert main(["country", "new", "nl", file, *given, *root]) == FINE
    assert "taxonomy/countries/nl: made, 16 crops" in capsys.readouterr().out
    assert main(["country", "check", "nl", file, *root]) == PROBLEMS
    assert "PROBLEMS FOUND" in capsys.readouterr().out
    assert main(["country", "new", "nl", file, *given, *root]) == BAD_INPUT
    assert capsys.readouterr().err.startswith("ConfigError: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["country", "check", "zz"], "ConfigError: "),
        (["country", "check", "fr", "nowhere_2022.gpkg"], "DeclarationError: nowhere_2022.gpkg: no such file"),
        (["country", "check", "fr", "a.gpkg", "--year", "1999"], "no edition for 1999"),
        (["country", "new", "xx", "nowhere_2022.gpkg"], "DeclarationError: nowhere_2022.gpkg: no such file"),
        (["country", "new", "fr", "nowhere_2022.gpkg"], "exists and is left as it is"),
    ],
)
def test_bad_input_is_one_line_and_no_traceback(
    repository: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--root", str(repository)]) == BAD_INPUT
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


@pytest.mark.parametrize(
    "arguments",
    [[], ["country"], ["country", "check"], ["country", "check", "fr", "--min-mapped", "95"], ["country", "new", "xx"]],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == BAD_INPUT
    assert "usage: cropstack" in capsys.readouterr().err


def test_the_command_runs_as_a_module_and_its_status_reaches_the_shell(root: Path) -> None:
    command = [sys.executable, "-m", "cropstack.cli", "country", "check"]
    done = [
        subprocess.run([*command, cc], cwd=root, capture_output=True, text=True, check=False) for cc in ("fr", "zz")
    ]
    assert [one.returncode for one in done] == [FINE, BAD_INPUT]
    assert "\x1b" not in done[0].stdout  # no colours
    assert "Traceback" not in done[1].stderr
