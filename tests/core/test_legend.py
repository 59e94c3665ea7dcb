from pathlib import Path

import pytest

from cropstack.errors import ConfigError
from cropstack.legend import Legend, gaps, read_any_legend, read_classes, read_legend, read_schemes, read_table

HEADER = "code,name,level,parent,group,source,coco_id,hcat3,hcat4,lucas_lc1\n"
CEREALS = "100,Cereals,group,,100,FAO ICC,1,3301010000,,B11 B12 B13\n"
WHEAT = "110,Wheat,class,100,100,FAO ICC,2,3301010100,3310101000,B11 B12\n"
CLASSES = HEADER + CEREALS + WHEAT
LEGEND = "id,name,colour,scheme,codes\n1,Wheat,#e6ab02,class,110\n2,Other cereals,#f0e442,class,100\n"
GROUPS = "id,name,colour,scheme,codes\n0,Wheat,#e6ab02,rpg_group,1\n1,Meadows,#f0e442,rpg_group,18 19\n"
RPG = {"rpg_group": ["1", "2", "18", "19"]}


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_taxonomy_has_the_168_classes_of_sen4agrinet(root: Path) -> None:
    classes = read_classes(root / "taxonomy/classes.csv")
    assert len(classes) == 168
    assert [crop.coco_id for _, crop in sorted(classes.items())] == list(range(1, 169))
    assert (classes[110].name, classes[110].parent, classes[998].coco_id) == ("Wheat", 100, 168)


def test_the_legend_of_the_paper_has_11_classes(root: Path) -> None:
    legend = read_legend(root / "taxonomy/legends/sen4agrinet11.csv", read_classes(root / "taxonomy/classes.csv"))
    assert [item.id for item in legend] == list(range(1, 12))
    assert legend[0].codes == (110,)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("110,Spelt,class,100,100,FAO ICC,3,,,\n", r"code 110 stands twice \(Wheat, Spelt\)"),
        ("120,Maize,class,190,100,FAO ICC,3,,,\n", r"class 120 \(Maize\) has the parent 190, which is no class"),
        (
            "120,Maize,class,130,100,FAO ICC,3,,,\n130,Rice,class,120,100,FAO ICC,4,,,\n",
            r"class 120 \(Maize\) has parents in a circle: 120 > 130 > 120",
        ),
        ("120,Maize,class,120,100,FAO ICC,3,,,\n", r"class 120 \(Maize\) has parents in a circle: 120 > 120"),
        ("120,Maize,class,100,100,FAO,3,,,\n", r'class 120 has the source "FAO"; expected one of \(\'FAO ICC\''),
        ("120,Maize,class,100,100,CLC,3,33010106,,\n", 'class 120 has hcat3 "33010106"; expected ten digits'),
        ("120,Maize,class,100,100,CLC,3,,maize,\n", 'class 120 has hcat4 "maize"; expected ten digits'),
        ("120,Maize,class,100,100,CLC,3,,,B16;B19\n", 'class 120 has lucas_lc1 "B16;B19"; expected codes such as B11'),
    ],
)
def test_a_contradictory_taxonomy_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_classes(written(tmp_path / "classes.csv", CLASSES + rows))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEGEND.replace("2,Other", "3,Other"), 'id "3" where 2 is due; ids must count from 0 or 1'),
        (LEGEND.replace("class,100", "class,100 110"), "code 110 belongs to both Wheat and Other cereals"),
        (LEGEND.replace("class,110", "class,111"), "Wheat takes code 111, which class has not; did you mean .11"),
        (LEGEND.replace("class,110", "class,"), "Wheat takes no code"),
        (LEGEND.replace("class,100", "hcat3,100"), 'Other cereals has the scheme "hcat3", the first row "class"'),
        (LEGEND.replace("#f0e442", "#e6ab02"), 'the colour "#e6ab02" stands twice'),
        (LEGEND.replace("Other cereals", "Wheat"), 'the name "Wheat" stands twice'),
        (LEGEND.replace("#f0e442", "yellow"), 'Other cereals has the colour "yellow"; expected #rrggbb'),
        (LEGEND.replace("colour", "color"), "did you mean .colour."),
        (LEGEND.replace(",colour", ""), r"columns are \['id', 'name', 'scheme', 'codes'\]; expected"),
        (LEGEND.splitlines()[0] + "\n", "no class; expected a row for each"),
        (
            LEGEND.replace("2,Other", "1,Other").replace("1,Wheat", "0,Wheat"),
            "ids count from 0, which is the background",
        ),
    ],
)
def test_a_contradictory_legend_is_refused(tmp_path: Path, text: str, message: str) -> None:
    classes = read_classes(written(tmp_path / "classes.csv", CLASSES))
    with pytest.raises(ConfigError, match=message):
        read_legend(written(tmp_path / "legend.csv", text), classes)


def test_a_step_that_sees_class_codes_refuses_a_legend_of_national_codes(tmp_path: Path) -> None:
    classes = read_classes(written(tmp_path / "classes.csv", CLASSES))
    message = r'legend\.csv: the legend is made of codes of "rpg_group"; expected one of \[.class.\] here'
    with pytest.raises(ConfigError, match=message):
        read_legend(written(tmp_path / "legend.csv", GROUPS), classes)


def test_a_legend_of_national_codes_keeps_the_ids_of_its_loader(tmp_path: Path) -> None:
    legend = read_any_legend(written(tmp_path / "legend.csv", GROUPS), RPG)
    assert [(one.id, one.codes) for one in legend.classes] == [(0, ("1",)), (1, ("18", "19"))]
    assert legend.scheme == "rpg_group"


def test_an_unknown_scheme_names_its_nearest_known_one(tmp_path: Path) -> None:
    path = written(tmp_path / "legend.csv", GROUPS.replace("rpg_group", "rpg_groups"))
    with pytest.raises(ConfigError, match='did you mean "rpg_group"'):
        read_any_legend(path, RPG)


def test_gaps_are_the_codes_that_no_class_takes(tmp_path: Path) -> None:
    legend = read_any_legend(written(tmp_path / "legend.csv", GROUPS), RPG)
    assert gaps(legend, RPG["rpg_group"]) == ["2"]
    assert gaps(Legend("rpg_group", ()), RPG["rpg_group"]) == RPG["rpg_group"]


def test_a_table_of_codes_is_a_scheme(tmp_path: Path) -> None:
    (tmp_path / "codes").mkdir()
    written(tmp_path / "classes.csv", CLASSES)
    written(tmp_path / "hcat3.csv", "hcat,name,class_code,note\n3301010000,cereal,100,\n")
    written(tmp_path / "codes/brp.csv", "code,name,group\n233,Tarwe,\n")
    assert read_schemes(tmp_path) == {"class": ["100", "110"], "hcat3": ["3301010000"], "brp": ["233"]}


@pytest.mark.parametrize("row", ["110,Wheat,class\n", WHEAT[:-1] + ",more\n"])
def test_a_row_of_another_length_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    with pytest.raises(ConfigError, match=r"classes\.csv: row 3 has not the 10 columns"):
        read_table(
            written(tmp_path / "classes.csv", HEADER + CEREALS + row),
            HEADER[:-1].split(","),
        )


def test_the_mark_that_spreadsheets_put_before_utf8_is_no_part_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "legend.csv").write_bytes(b"\xef\xbb\xbf" + LEGEND.encode())
    assert len(read_any_legend(tmp_path / "legend.csv", {"class": ["100", "110"]}).classes) == 2


def test_a_table_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "legend.csv").write_bytes(LEGEND.replace("Wheat", "Blé").encode("latin-1"))
    with pytest.raises(ConfigError, match=r"legend\.csv: is no CSV in UTF-8 .*Save it as UTF-8"):
        read_any_legend(tmp_path / "legend.csv", {"class": ["100", "110"]})


def test_a_number_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'classes\.csv: code is "x10"; expected a whole number'):
        read_classes(written(tmp_path / "classes.csv", HEADER + WHEAT.replace("110", "x10")))
