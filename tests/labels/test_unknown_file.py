"""A declaration of which nothing is known yet, where it cannot be read: an error that names it."""

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from cropstack.errors import DeclarationError
from cropstack.labels.containers import find_layers
from cropstack.labels.unknown_file import look_at, read_columns


def test_geoparquet_with_a_damaged_page(tmp_path: Path) -> None:
    path = tmp_path / "dun.parquet"
    frame = gpd.GeoDataFrame(
        {"CULTIU": ["ORDI"] * 50},
        geometry=[shapely.box(600_000 + n, 4_990_000, 600_001 + n, 4_990_001) for n in range(50)],
        crs="EPSG:32631",
    )
    frame.to_parquet(path)
    layers = find_layers([path], None, origin="dun.parquet")
    file = look_at(layers)
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    for read in (lambda: look_at(layers), lambda: read_columns(file, ["CULTIU"])):
        with pytest.raises(DeclarationError, match=r"dun\.parquet: layer dun cannot be read .* Fetch it again"):
            read()
