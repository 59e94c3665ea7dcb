from pathlib import Path

import pytest

from cropstack.errors import ConfigError
from cropstack.legend import read_classes, read_legend, read_table

HEADER = "code,name,level,parent,group,source,coco_id\n"
CLASSES = HEADER + "100,Cereals,group,,100,fao_icc,1\n110,Wheat,class,100,100,fao_icc,2\n"
LEGEND = "id,name,colour,codes\n1,Wheat,#e6ab02,110\n2,Other cereals,#f0e442,100\n"


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
        ("110,Spelt,class,100,100,x,3\n", r"code 110 stands twice \(Wheat, Spelt\)"),
        ("120,Maize,class,190,100,x,3\n", r"class 120 \(Maize\) has the parent 190, which is no class"),
        (
            "120,Maize,class,130,100,x,3\n130,Rice,class,120,100,x,4\n",
            r"class 120 \(Maize\) has parents in a circle: 120 > 130 > 120",
        ),
        ("120,Maize,class,120,100,x,3\n", r"class 120 \(Maize\) has parents in a circle: 120 > 120"),
    ],
)
def test_a_contradictory_taxonomy_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_classes(written(tmp_path / "classes.csv", CLASSES + rows))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEGEND.replace("2,Other", "3,Other"), 'id "3" in row 2; ids must count from 1'),
        (LEGEND.replace("f0e442,100", "f0e442,100 110"), "code 110 belongs to both Wheat and Other cereals"),
        (LEGEND.replace(",110", ",111"), "class Wheat takes code 111, which is not in the taxonomy"),
        (LEGEND.replace("colour", "color"), "did you mean .colour."),
        (LEGEND.replace(",colour", ""), r"columns are \['id', 'name', 'codes'\]; expected"),
    ],
)
def test_a_contradictory_legend_is_refused(tmp_path: Path, text: str, message: str) -> None:
    classes = read_classes(written(tmp_path / "classes.csv", CLASSES))
    with pytest.raises(ConfigError, match=message):
        read_legend(written(tmp_path / "legend.csv", text), classes)


@pytest.mark.parametrize("row", ["110,Wheat,class\n", "110,Wheat,class,100,100,fao_icc,2,more\n"])
def test_a_row_of_another_length_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    with pytest.raises(ConfigError, match=r"classes\.csv: row 3 has not the 7 columns"):
        read_table(
            written(tmp_path / "classes.csv", HEADER + "100,Cereals,group,,100,fao_icc,1\n" + row),
            HEADER[:-1].split(","),
        )


def test_a_number_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'classes\.csv: code is "x10"; expected a whole number'):
        read_classes(written(tmp_path / "classes.csv", HEADER + "x10,Wheat,class,100,100,fao_icc,2\n"))
