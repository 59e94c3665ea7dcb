"""Mistakes that hide in a table of crops, each found; and tables without mistakes, of which nothing is said."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cropstack.errors import ConfigError
from cropstack.labels.lint_crops import Finding, compatible, lint_crops, read_rows
from cropstack.labels.suggest import read_hcat, read_known
from cropstack.legend import CropClass, read_classes

Lint = Callable[[str], list[Finding]]


@pytest.fixture
def classes(root: Path) -> dict[int, CropClass]:
    return read_classes(root / "taxonomy/classes.csv")


@pytest.fixture
def lint(root: Path, tmp_path: Path, crop_table: str, classes: dict[int, CropClass]) -> Lint:
    """Lint the small table with more rows."""
    hcat = read_hcat(root / "taxonomy/hcat3.csv", classes)
    known = read_known(root / "taxonomy/countries", classes, hcat, leave_out="xx")

    def run(rows: str) -> list[Finding]:
        path = tmp_path / "crops.csv"
        path.write_text(crop_table + rows, encoding="utf-8")
        return lint_crops(read_rows(path, classes), classes, hcat, known)

    return run


def problems(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.rule, one.text) for one in findings if one.level == "problem"]


def test_a_good_table_has_no_problems(lint: Lint) -> None:
    assert lint("") == []


@pytest.mark.parametrize(
    ("rows", "rule", "text"),
    [
        # whitespace, case and Unicode form hide duplicates
        ("BLAT  TOU,Blat,Soft wheat,110,,,,,\n", "duplicate", "line 2 'BLAT TOU' and line 9 'BLAT  TOU' (equal once"),
        ("blat tou,Blat,Soft wheat,110,,,,,\n", "duplicate", "line 9 'blat tou'"),
        ("ARRO\u0300S,Arròs,Rice,130,,,,,\n", "duplicate", "line 5 'ARRÒS'"),
        ("BLAT\u00a0TOU,Blat,Soft wheat,110,,,,,\n", "duplicate", "line 2 'BLAT TOU'"),
        # validity that overlaps in one year
        ("X,x,Barley,150,,,2018,,\nX,x,Barley,150,,2018,,,\n", "duplicate", "line 9 'X' and line 10 'X'"),
        ("X,x,Barley,150,,2019,2017,,\n", "years", "line 9 'X' (2019 to 2017)"),
        # codes that a spreadsheet strips of zeros, names that an export strips of accents
        ("01,x,Barley,150,,,,,\n1,y,Maize,120,,,,,\n", "look_alike", "line 9 '01' is 150, line 10 '1' is 120"),
        ("ARROS,x,Barley,150,,,,,\n", "look_alike", "line 5 'ARRÒS' is 130, line 9 'ARROS' is 150"),
        ("ordi  verd,x,Barley,150,,,,,\n", "spelling", "line 9 'ordi  verd'"),
        ("CIVADA,CivadÃ¡,Oats,170,,,,,\n", "encoding", "line 9 'CIVADA'"),
        ("CIVAD\ufffd,x,Oats,170,,,,,\n", "encoding", "line 9"),
        # suggestions that nobody looked at
        ("CIVADA,x,Oats,170,,,,unreviewed,\n", "unreviewed", "line 9 'CIVADA'"),
        # 998 is a class in the table and no class at all
        ("ALTRES,x,Something,998,,,,,\n", "unknown_class", "line 9 'ALTRES'"),
        ("ALTRES,x,Something,998,,,,,suggested: nothing\n", "unknown_class", "line 9 'ALTRES'"),
        # what is excluded counts nowhere, so somebody must say why; that another table lacks it is no reason
        ("CAMI,x,Path,exclude,,,,,\n", "excluded", "line 9 'CAMI'"),
        ("CAMI,x,Path,exclude,,,,,not in EuroCrops; HCAT is ours\n", "excluded", "line 9 'CAMI'"),
        # a class that its own HCAT code or English name contradicts
        ("CIVADA,x,Winter crop,120,3301010500,,,,\n", "hcat", "class 120 (Maize), hcat 170 (Oats)"),
        ("CIVADA,x,Oats,170,3301999999,,,,\n", "hcat", "hcat codes that taxonomy/hcat3.csv has not: line 9 'CIVADA'"),
        ("CIVADA,x,Oats,120,,,,,\n", "name", "line 9 'CIVADA' Oats: class 120 (Maize), but 170"),
        ("CIVADA,x,Oats,120,,,,,suggested: maize in fr (75)\n", "name", "but 170"),
        ("OLIVES,x,Olives,330,,,,,\n", "name", "class 330 (Grapes), but 442"),
        # one crop under two codes with two classes
        (
            "A1,Civada,Oats,170,,,,,HCAT3 alone: 911 (x)\nA2,CIVADA,Fodder,911,,,,,Sen4AgriNet has 998\n",
            "same_name",
            "line 9 'A1' is 170, line 10 'A2' is 911",
        ),
    ],
)
def test_what_hides_a_mistake_is_found(lint: Lint, rows: str, rule: str, text: str) -> None:
    found = dict(problems(lint(rows)))
    assert text in found.get(rule, f"no problem {rule} in {found}")


@pytest.mark.parametrize(
    "rows",
    [
        "X,x,Barley,150,,,2018,,\nX,x,Oats,170,,2019,,,\n",  # a code may change its meaning
        "01,x,Barley,150,,,,,\n1,y,Barley,150,,,,,\n",  # two spellings of one crop
        "ALTRES,x,Something,998,,,,,the office does not say which crop\n",
        "CIVADA,x,Oats,120,,,,,sown together and harvested as maize\n",
        "GRASSA,x,Barley for green fodder,911,,,,,\n",  # contains a name, and is none: only a note
        "OGRA,x,Other cereals,100,3301010400,,,,\n",  # an ancestor contains it
    ],
)
def test_what_is_right_or_explained_is_no_problem(lint: Lint, rows: str) -> None:
    assert problems(lint(rows)) == []


def test_an_empty_code_looks_like_no_other(lint: Lint) -> None:
    assert lint(",x,None declared,exclude,,,,,no crop\n0,y,Oats,170,,,,,\n") == []


def test_a_name_inside_another_name_is_a_note(lint: Lint) -> None:
    (finding,) = lint("GRASSA,x,Barley for green fodder,911,,,,,\n")
    assert (finding.level, finding.rule) == ("note", "name")
    assert "Barley for green fodder: class 911 (Temporary grass crops), not 150?" in finding.text


def test_everything_in_one_class_is_a_problem(lint: Lint) -> None:
    rows = "".join(f"C{i},Cultiu {i},Crop number {i},110,,,,,\n" for i in range(20))
    assert dict(problems(lint(rows)))["one_class"].startswith("21 of 26 rows have the class 110 (Wheat)")


def test_rows_without_an_english_name_are_noted(lint: Lint) -> None:
    (finding,) = lint("CIVADA,Civada,,170,,,,,\n")
    assert (finding.level, finding.rule) == ("note", "name_en")


def test_all_bad_rows_are_named_at_once(lint: Lint) -> None:
    with pytest.raises(ConfigError, match=r"line 9, code 'A': class_code '7'.*line 10, code 'B': valid_to 'soon'"):
        lint("A,a,A,7,,,,,\nB,b,B,110,,,soon,,\n")
    with pytest.raises(ConfigError, match="review 'done' is unknown; expected nothing or 'unreviewed'"):
        lint("A,a,A,110,,,,done,\n")


def test_classes_that_agree(classes: dict[int, CropClass]) -> None:
    assert compatible(110, 100, classes)  # wheat is a cereal
    assert compatible(347, 345, classes)  # "other berries" beside strawberries
    assert not compatible(110, 150, classes)
    assert not compatible(790, 192, classes)  # both are "other", of different groups


def test_a_table_without_rows_is_a_problem(lint: Lint, classes: dict[int, CropClass]) -> None:
    assert [(one.level, one.rule) for one in lint_crops([], classes, {}, [])] == [("problem", "empty")]
