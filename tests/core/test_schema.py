from pathlib import Path

import pytest
import yaml

from cropstack.errors import ConfigError
from cropstack.schema import read_yaml, validate

AREAS = {"fr": {"tiles": ["31TCJ"], "years": [2019]}}


@pytest.fixture(scope="module")
def schemas(root: Path) -> Path:
    return root / "workflow/schemas"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"areas": AREAS, "yeers": [2019], "provder": "folder"},
            'unknown key "provder" at top level; did you mean "provider"',
        ),
        ({"areas": {"fr": {**AREAS["fr"], "tile": []}}}, 'unknown key "tile" at areas.fr; did you mean "tiles"'),
        ({"areas": AREAS, "simulation": {"x": 1}}, 'unknown key "x" at simulation; known keys are seed, acquisitions'),
        ({}, "top level: 'areas' is a required property"),
        ({"areas": AREAS, "provider": "cdse"}, "provider: 'cdse' is not one of .*expected: where products come from"),
        ({"areas": {"fr": {"tiles": ["T31TCJ"], "years": [2019]}}}, r"areas.fr.tiles.0: 'T31TCJ' does not match"),
        ({"areas": AREAS, "seed": 16.0}, "seed: 16.0 is not of type 'integer'"),
        ({"areas": AREAS, "tile_size_px": 732.0}, "tile_size_px: 732.0 is not of type 'integer'"),
        ({"areas": AREAS, "tile_size_px": 1000}, "tile_size_px: 1000 is not a multiple of 366"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_nearest_key(schemas: Path, data: object, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^configuration: {message}"):
        validate(data, schemas / "config.schema.yaml", origin="configuration")


def test_defaults_are_filled_in_at_all_depths_and_the_input_is_left_alone(schemas: Path) -> None:
    data = {"areas": AREAS, "simulation": {"seed": 3}}
    filled = validate(data, schemas / "config.schema.yaml", origin="configuration")
    assert filled["simulation"] == {"seed": 3, "acquisitions": 15}
    assert (filled["tile_size_px"], filled["keep_scenes"], filled["provider"]) == (10980, True, "folder")
    assert data == {"areas": AREAS, "simulation": {"seed": 3}}
    bare = validate({"areas": AREAS}, schemas / "config.schema.yaml", origin="configuration")
    assert bare["simulation"] == {"seed": 11, "acquisitions": 15}


def test_defaults_inside_lists_are_filled_in(schemas: Path, tmp_path: Path) -> None:
    source = {
        "name": "RPG", "country_code": "FR", "bounds": [-6, 41, 10, 52], "licence": "x", "attribution": "y",
        "editions": [{"years": [2019], "files": ["a.7z"], "crs": "EPSG:2154", "columns": {"code": "CODE_CULTU"}}],
    }  # fmt: skip
    (tmp_path / "source.yaml").write_text(yaml.safe_dump(source))
    edition = read_yaml(tmp_path / "source.yaml", schemas / "source.schema.yaml")["editions"][0]
    assert (edition["layer"], edition["encoding"], edition["columns"]["id"]) == (None, None, None)


def test_broken_yaml_is_an_error_that_names_the_file(schemas: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.yaml").write_text("areas: {fr: [")
    with pytest.raises(ConfigError, match=r"torn\.yaml: not readable as YAML"):
        read_yaml(tmp_path / "torn.yaml", schemas / "config.schema.yaml")
    with pytest.raises(ConfigError, match=r"none\.yaml: not readable as YAML"):
        read_yaml(tmp_path / "none.yaml", schemas / "config.schema.yaml")


def test_all_shipped_schemas_are_valid_and_closed(schemas: Path) -> None:
    from jsonschema import Draft202012Validator

    for path in sorted(schemas.glob("*.yaml")):
        schema = yaml.safe_load(path.read_text())
        Draft202012Validator.check_schema(schema)
        assert open_objects(schema) == [], path.name


def open_objects(schema: object, place: str = "") -> list[str]:
    """Places of a schema where an unknown key would pass."""
    if isinstance(schema, list):
        return [found for index, part in enumerate(schema) for found in open_objects(part, f"{place}/{index}")]
    if not isinstance(schema, dict):
        return []
    here = [place] if schema.get("type") == "object" and "additionalProperties" not in schema else []
    return here + [found for name, part in schema.items() for found in open_objects(part, f"{place}/{name}")]
