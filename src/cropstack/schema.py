"""Closed schemas: validate data against a JSON schema in YAML and fill in its defaults."""

import copy
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from cropstack.errors import ConfigError, nearest

# 16.0 is an integer for JSON Schema; hashed as text or given to range() it is none.
_Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def read_yaml(path: Path, schema: Path) -> Any:
    """Read a YAML file and return it validated, with the schema's defaults filled in."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not readable as YAML ({error})") from error
    return validate(data, schema, origin=str(path))


def validate(data: Any, schema: Path, *, origin: str) -> Any:
    """Return a copy of `data` with defaults filled in.

    Raises
    ------
    ConfigError : the first violation, with `origin`, the place in it, the value, what is expected and, for an
        unknown key, the nearest known one.
    """
    definition = yaml.safe_load(Path(schema).read_text(encoding="utf-8"))
    error = best_match(_Validator(definition).iter_errors(data))
    if error is not None:
        raise ConfigError(f"{origin}: {_explain(error)}")
    return _with_defaults(copy.deepcopy(data), definition)


def _explain(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path) or "top level"
    rules: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = rules.get("properties", {})
        unknown = sorted(set(error.instance) - set(known))[0]
        return f'unknown key "{unknown}" at {place}{nearest(unknown, known) or "; known keys are " + ", ".join(known)}'
    expected = rules.get("description", "")
    return f"{place}: {error.message}" + (f" (expected: {expected})" if expected else "")


def _with_defaults(data: Any, schema: dict[str, Any]) -> Any:
    if isinstance(data, dict):
        properties = schema.get("properties", {})
        for name, part in properties.items():
            if name not in data and "default" in part:
                data[name] = copy.deepcopy(part["default"])
        rest = schema.get("additionalProperties")
        for name, value in data.items():
            part = properties.get(name, rest if isinstance(rest, dict) else {})
            data[name] = _with_defaults(value, part)
    elif isinstance(data, list) and isinstance(schema.get("items"), dict):
        data = [_with_defaults(item, schema["items"]) for item in data]
    return data
