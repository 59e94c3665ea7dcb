"""Names of tiles."""

import pytest

from cropstack.errors import ConfigError
from cropstack.tile_name import parse_tile


def test_parts_of_a_name() -> None:
    assert parse_tile("31TCG") == (31, "T", 2, "G")
    assert parse_tile("29SND") == (29, "S", 4, "D")


@pytest.mark.parametrize("tile", ["61TCG", "00TCG", "31ICG", "31TCW", "T31TCG", "31tcg"])
def test_what_is_no_cell_is_refused(tile: str) -> None:
    with pytest.raises(ConfigError, match=f'tile "{tile}" is no MGRS cell'):
        parse_tile(tile)


def test_column_of_another_zone_is_refused() -> None:
    with pytest.raises(ConfigError, match='tile "31TJG": zone 31 has the columns ABCDEFGH, not "J"'):
        parse_tile("31TJG")
