"""Names of Sentinel-2 tiles: squares of the MGRS grid.

The Snakefile imports this on every start, so it needs the standard library only.
"""

import re

from cropstack.errors import ConfigError

_TILE = re.compile(r"(0[1-9]|[1-5][0-9]|60)([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])")
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")


def parse_tile(tile: str) -> tuple[int, str, int, str]:
    """UTM zone, latitude band, number of the column in its zone from 0, and row letter of a name such as ``31TCG``.

    Raises
    ------
    ConfigError : no MGRS cell, or a column that its zone does not have.
    """
    match = _TILE.fullmatch(tile)
    if match is None:
        raise ConfigError(f'tile "{tile}" is no MGRS cell; expected a name such as "31TCG"')
    zone, band, column, row = int(match[1]), match[2], match[3], match[4]
    columns = _COLUMNS[(zone - 1) % 3]
    if column not in columns:
        raise ConfigError(f'tile "{tile}": zone {zone} has the columns {columns}, not "{column}"')
    return zone, band, columns.index(column), row
