"""The builders of tests/layouts, for loaders too."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_spec = spec_from_file_location("layout_builders", Path(__file__).parents[1] / "layouts/conftest.py")
_builders = module_from_spec(_spec)
_spec.loader.exec_module(_builders)
build = _builders.build
