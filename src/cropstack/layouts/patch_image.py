"""What patch files of the layout `sen4agrinet` have in common: everything but names, coordinates and pixels.

SOURCE: layout of the data set (Sykas et al., IEEE JSTARS 2022, section V-C) and what its PatchesDataset reads.
"""

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import h5py
import numpy as np
from odc.geo.geobox import GeoBox

from cropstack.bands import S2_BAND, S2_BANDS, reflectance_attributes
from cropstack.files import (
    add_bare_dimension,
    add_dimension,
    add_group,
    add_variable,
    netcdf_image,
    set_attributes,
)
from cropstack.grid import PATCH_PX, crs_attributes
from cropstack.layouts.scene_stack import Scene

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_ATTRIBUTES = {
    "standard_name": "time",
    "long_name": "sensing time of the tile, UTC",
    "units": "microseconds since 1970-01-01 00:00:00",  # as int64: exact, where seconds as float64 are not
    "calendar": "proleptic_gregorian",
    "axis": "T",
}
AXIS_ATTRIBUTES = {
    axis: {
        "standard_name": f"projection_{axis}_coordinate",
        "long_name": f"{axis} of pixel centres",
        "units": "m",
        "axis": axis.upper(),
    }
    for axis in ("y", "x")
}
MASKS = {
    "labels": ("u4", "crop class, code of the Sen4AgriNet taxonomy; 0: none"),
    "parcels": ("i8", "parcel_index of the declared parcel; 0: none"),
}
# What each time step says about its scene: root attribute of the scene file, by kind.
TEXTS = ("scene", "products", "platform", "processing_baselines", "offset_applied", "provider", "orbit_direction")
NUMBERS = {
    "relative_orbit": "1",
    "cloud_cover": "percent",
    "sun_zenith": "degree",
    "sun_azimuth": "degree",
    "view_zenith": "degree",
    "view_azimuth": "degree",
}


def common_attributes(tile: str, year: int, about: dict[str, Any], imagery: str) -> dict[str, str]:
    """Root attributes of all patches of a tile and year.

    `about` are the root attributes of the label file; `imagery` says where the scenes come from. Labels are share-alike
    where the declaration is, or where the mapping of its crops has a licence: CC BY-SA.
    """
    repeated = (
        *("attribution", "licence", "mapping_licence", "mapping_attribution"),
        *("background", "background_licence", "background_attribution"),
    )
    return {
        "Conventions": "CF-1.8",
        "title": "S4A Patch Dataset",
        "authors": "cropstack, in the layout of Papoutsis I., Sykas D., Zografakis D., Sdraka M.",
        "patch_year": str(year),
        "patch_country_code": about["country_code"],
        "patch_tile": tile,
        "references": "doi:10.1109/JSTARS.2022.3164771",
        "institution": "cropstack",
        "version": "21.03",
        "_format": "NETCDF4",
        "source": f"{imagery}; {about['attribution']}",
        "labels_share_alike": "yes" if about["share_alike"] or "mapping_licence" in about else "no",
        **{f"labels_{name}": about[name] for name in repeated if name in about},
    }


@dataclass(frozen=True)
class PatchImage:
    """A patch file without names, coordinates and pixels, for all patches that have the same dates.

    `offsets` says where in `content` uncompressed float64 values stand, by path in the file. They are set in the bytes:
    through HDF5 that costs more than all the rest of a file.
    """

    content: bytes
    offsets: dict[str, int]

    def with_values(self, values: dict[str, np.ndarray]) -> bytes:
        """The content with float64 arrays set, by path."""
        content = bytearray(self.content)
        for path, array in values.items():
            data = array.astype("f8").tobytes()
            content[self.offsets[path] : self.offsets[path] + len(data)] = data
        return bytes(content)


def patch_image(stack: list[Scene], tile: GeoBox, attributes: dict[str, str]) -> PatchImage:
    """Make the image of patches whose time steps are `stack`.

    `tile` is any grid in their CRS, `attributes` are those of the root that they share.
    """
    georeference = crs_attributes(tile)
    del georeference["GeoTransform"]  # the coordinates say it; one per patch and group would cost as much as the copy
    times = [_microseconds(scene.sensing) for scene in stack]

    def build(file: h5py.File) -> None:
        """Write all that the patches share: attributes, dimensions, empty rasters, the table of acquisitions."""
        set_attributes(file, attributes)
        for band in S2_BANDS:
            group, size = add_group(file, band.name), PATCH_PX[band.resolution_m]
            _add_time(group, times)
            _add_grid(group, size, georeference)
            chunks = (1, size, size)
            add_variable(
                group, band.name, ("time", "y", "x"), "u2", reflectance_attributes(band), chunks=chunks, fill=0
            )
        for name, (dtype, long_name) in MASKS.items():
            group, size = add_group(file, name), PATCH_PX[10]
            _add_grid(group, size, georeference)
            attrs = {"long_name": long_name, "grid_mapping": "spatial_ref"}
            add_variable(group, name, ("y", "x"), dtype, attrs, chunks=(size, size))
        _add_acquisitions(add_group(file, "acquisitions"), stack, times)

    content = netcdf_image(build)
    with h5py.File(io.BytesIO(content)) as file:
        coordinates = [f"{name}/{axis}" for name in (*S2_BAND, *MASKS) for axis in AXIS_ATTRIBUTES]
        offsets = {path: file[path].id.get_offset() for path in (*coordinates, "acquisitions/valid_share")}
    return PatchImage(content, offsets)


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


def _add_time(group: h5py.Group, times: list[int]) -> None:
    add_dimension(group, "time", np.array(times, "i8"), TIME_ATTRIBUTES)


def _add_grid(group: h5py.Group, size: int, georeference: dict[str, str | float]) -> None:
    for axis, attributes in AXIS_ATTRIBUTES.items():
        add_dimension(group, axis, np.zeros(size), attributes)  # values: PatchImage
    add_variable(group, "spatial_ref", (), "i4", georeference, data=np.array(0, "i4"))


def _add_acquisitions(group: h5py.Group, stack: list[Scene], times: list[int]) -> None:
    _add_time(group, times)
    for name in TEXTS:
        _add_text(group, name, [str(scene.attributes[name]) for scene in stack])
    for name, units in NUMBERS.items():
        values = np.array([scene.attributes[name] for scene in stack])
        add_variable(group, name, ("time",), values.dtype, {"units": units}, data=values)
    attributes = {"units": "1", "long_name": "share of the patch's 10 m pixels that are not nodata"}
    add_variable(group, "valid_share", ("time",), "f8", attributes, data=np.zeros(len(stack)))


def _add_text(group: h5py.Group, name: str, texts: list[str]) -> None:
    """Add text as netCDF characters: fixed lengths, which every reader knows."""
    encoded = [text.encode() for text in texts]
    length = max(1, *map(len, encoded))
    characters = np.frombuffer(b"".join(text.ljust(length, b"\0") for text in encoded), "S1").reshape(-1, length)
    add_bare_dimension(group, f"{name}_length", length)
    add_variable(group, name, ("time", f"{name}_length"), "S1", {"_Encoding": "utf-8"}, data=characters)
