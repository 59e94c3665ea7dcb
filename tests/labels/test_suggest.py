"""Names of crops in two languages, and the classes that they suggest."""

from pathlib import Path

import pytest

from cropstack.errors import ConfigError
from cropstack.labels.suggest import MIN_SCORE, Known, essence, names_of, plain, read_hcat, read_known, suggest
from cropstack.legend import CropClass, read_classes


@pytest.fixture
def classes(root: Path) -> dict[int, CropClass]:
    return read_classes(root / "taxonomy/classes.csv")


@pytest.fixture
def known(root: Path, classes: dict[int, CropClass]) -> list[Known]:
    hcat = read_hcat(root / "taxonomy/hcat3.csv", classes)
    return read_known(root / "taxonomy/countries", classes, hcat, leave_out="xx")


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Blé tendre d'hiver", "ble tendre d hiver"),
        ("SOFT  WHEAT", "soft wheat"),
        ("cherries and sour cherries", "cherry and sour cherry"),
        ("Potatoes", "potato"),
        ("Grass", "grass"),
        ("grain_maize", "grain maize"),
    ],
)
def test_plain_names(name: str, same: str) -> None:
    assert plain(name) == same


def test_filling_words_say_nothing_about_the_crop() -> None:
    assert essence("Onions (incl. shallots)") == {"onion", "shallot"}
    assert essence("Other crops, etc.") == set()


@pytest.mark.parametrize(
    ("names", "class_code"),
    [
        (("Blat tou", "Soft wheat"), 110),
        (("Blé tendre d'hiver",), 110),  # as in the table of France
        (("xyz", "Sugar beets"), 810),
        (("Girasole", "Sunflowers"), 438),
        (("Barbabietola", "Sugar-beet"), 810),
    ],
)
def test_the_nearest_name_in_any_language_gives_the_class(
    known: list[Known], names: tuple[str, ...], class_code: int
) -> None:
    assert suggest([names], known)[0][0].class_code == class_code


def test_names_that_are_like_no_other_suggest_nothing(known: list[Known]) -> None:
    assert suggest([("qqqq wwww",), ("",), ()], known) == [[], [], []]


def test_suggestions_are_of_different_classes_best_first(known: list[Known]) -> None:
    found = suggest([("Barley",)], known)[0]
    assert found[0].class_code == 150
    assert len({one.class_code for one in found}) == len(found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(one.score >= MIN_SCORE for one in found)


def test_rows_that_nobody_has_reviewed_teach_nothing() -> None:
    row = {"name": "Orzo", "name_en": "Barley", "class_code": "110", "hcat": "", "review": "unreviewed"}
    assert names_of([row], "it") == []
    assert names_of([row | {"review": "", "class_code": "exclude"}], "it") == []
    assert [one.name for one in names_of([row | {"review": ""}], "it")] == ["Orzo", "Barley"]


def test_a_country_is_no_witness_in_its_own_case(root: Path, classes: dict[int, CropClass]) -> None:
    known = read_known(root / "taxonomy/countries", classes, {}, leave_out="fr")
    assert "fr" not in {one.origin for one in known}
    assert "es_ct" in {one.origin for one in known}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("3301010100,again,110,", "hcat '3301010100' stands twice"),
        ("3301019999,new,111,", "class_code '111' is in no row of classes.csv"),
    ],
)
def test_bad_rows_of_hcat3(tmp_path: Path, classes: dict[int, CropClass], row: str, message: str) -> None:
    path = tmp_path / "hcat3.csv"
    path.write_text(f"hcat,name,class_code,note\n3301010100,common_soft_wheat,110,\n{row}\n")
    with pytest.raises(ConfigError, match=message):
        read_hcat(path, classes)
