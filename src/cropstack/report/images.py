"""Rasters of the page: pure functions from arrays to pictures and data URIs."""

import base64
from collections.abc import Mapping

import imagecodecs
import numpy as np
from scipy.ndimage import distance_transform_edt

from cropstack.bands import NODATA_DN, SATURATED_DN
from cropstack.legend import BACKGROUND

NODATA_GREY = 208
GAMMA = 0.85  # a little lighter in the shadows


def jpeg_uri(picture: np.ndarray) -> str:
    """Data URI of a (y, x, 3) uint8 photograph."""
    return _uri("image/jpeg", imagecodecs.jpeg_encode(np.ascontiguousarray(picture), level=85))


def png_uri(picture: np.ndarray) -> str:
    """Data URI of a (y, x, 3) uint8 map with hard edges."""
    return _uri("image/png", imagecodecs.png_encode(np.ascontiguousarray(picture), level=9))


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def true_colour(bands: np.ndarray) -> np.ndarray:
    """Stretch red, green and blue reflectance of a season to pictures that can be compared.

    Parameters
    ----------
    bands : uint16 (time, 3, y, x) in the order red, green, blue; 0 is nodata, 65535 saturated.

    Returns
    -------
    uint8 (time, y, x, 3). Each band is stretched from its 2nd to its 98th percentile over all dates together;
    nodata is grey.
    """
    there = (bands != NODATA_DN).all(axis=1)
    counted = there & (bands != SATURATED_DN).all(axis=1)
    picture = np.full((*there.shape, 3), NODATA_GREY, np.uint8)
    if not counted.any():
        return picture
    for band in range(3):
        values = bands[:, band].astype(np.float32)
        low, high = np.percentile(values[counted], (2, 98))
        stretched = np.clip((values - low) / max(high - low, 1), 0, 1) ** GAMMA
        picture[..., band] = np.where(there, np.round(stretched * 255), NODATA_GREY)
    return picture


def label_picture(labels: np.ndarray, colours: Mapping[int, str], *, other: str, background: str) -> np.ndarray:
    """Colour a (y, x) raster of class codes: uint8 (y, x, 3).

    `colours` are #rrggbb by code; 0 takes `background`, every code without a colour `other`.
    """
    codes, index = np.unique(labels, return_inverse=True)
    table = [background if code == BACKGROUND else colours.get(code, other) for code in codes.tolist()]
    return np.array([rgb(colour) for colour in table], np.uint8)[index.reshape(labels.shape)]


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of #rrggbb."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def class_marks(labels: np.ndarray, parcels: np.ndarray, *, most: int) -> list[tuple[int, int, int]]:
    """Places (code, y, x) to write the class on: deep inside the largest parcels, each class at least once.

    labels, parcels : (y, x) class codes and parcel numbers; 0 is none. At most `most` places.
    """
    numbers, first, sizes = np.unique(parcels, return_index=True, return_counts=True)
    by_size = [i for i in np.argsort(-sizes, kind="stable").tolist() if numbers[i] != 0]
    code = {i: int(labels.reshape(-1)[first[i]]) for i in by_size}
    largest_of_class = {code[i]: i for i in reversed(by_size)}
    heads = [i for i in by_size if largest_of_class[code[i]] == i]
    chosen = (heads + [i for i in by_size if largest_of_class[code[i]] != i])[:most]
    return [(code[i], *_deepest(parcels == numbers[i])) for i in chosen]


def _deepest(inside: np.ndarray) -> tuple[int, int]:
    """Pixel (y, x) of a mask that is farthest from its edge and from the picture's."""
    depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return int(y), int(x)
