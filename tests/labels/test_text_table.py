"""Tables that fit the terminal."""

import pytest

from cropstack.labels.text_table import text_table, wrap


def test_numbers_stand_right_and_words_left() -> None:
    assert text_table(["crop", "#ha"], [["Wheat", "7.00"], ["Oats", "12.50"]]) == [
        "crop      ha",
        "Wheat   7.00",
        "Oats   12.50",
    ]


def test_long_words_are_cut_and_numbers_never() -> None:
    lines = text_table(["crop", "#ha"], [["a" * 50, "123456789.00"]], width=30)
    assert lines[1] == "a" * 15 + "…  123456789.00"
    assert {len(line) for line in lines} == {30}


@pytest.mark.parametrize("name", ["ARRO\u0300S", "小麦"])
def test_columns_line_up_under_combining_marks_and_wide_letters(name: str) -> None:
    lines = text_table(["crop", "#ha"], [[name, "1"], ["12345", "1"]])
    assert lines[1] == name + " " * (5 - {"ARRO\u0300S": 5, "小麦": 4}[name]) + "   1"


def test_line_ends_in_a_cell_are_spaces() -> None:
    assert text_table(["a"], [["x\n y"]]) == ["a", "x y"]


def test_sentences_are_wrapped_and_long_paths_stay_whole() -> None:
    assert wrap("one two three", width=8) == ["one two", "  three"]
    assert wrap("a /very/long/path b", width=8) == ["a", "  /very/long/path", "  b"]
