"""The floor: what turning a product into compressed patches costs at the very least.

Decode every band and the cloud mask once with rasterio, deflate every patch chunk once with libdeflate at level 1,
write the bytes once. The chunks are shuffled before, as they are stored; the shuffle itself is not counted.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np
import rasterio
from safe_files import BANDS, PATCH_PX, band_file, mask_file

CACHE_MB = 64  # of GDAL, per thread: with its default of 5 % of all memory decoding takes 1 to 2 % longer


def floor(product: Path, output: Path, threads: int) -> dict[str, float]:
    """CPU seconds of each part, of all threads together, start of Python and imports not included."""
    spent = {"decode": 0.0, "deflate": 0.0, "write": 0.0}
    with rasterio.Env(GDAL_NUM_THREADS=str(threads), GDAL_CACHEMAX=CACHE_MB * threads), open(output, "wb") as file:
        for resolution_m, bands in BANDS.items():
            array = None
            for band in bands:
                array = _decode(band_file(product, band), array, spent)
                chunks = _deflate(array[0], PATCH_PX[resolution_m], spent)
                _write(file, chunks, spent)
        _decode(mask_file(product, "MSK_CLASSI_B00"), None, spent)
    return spent | {"bytes": float(output.stat().st_size)}


def _decode(path: Path, out: np.ndarray | None, spent: dict[str, float]) -> np.ndarray:
    """Decode all layers, into the memory of the band before where there is one."""
    start = time.process_time()
    with rasterio.open(path) as dataset:
        array: np.ndarray = dataset.read(out=out)
    spent["decode"] += time.process_time() - start
    return array


def _deflate(array: np.ndarray, size: int, spent: dict[str, float]) -> list[bytes]:
    encoded = []
    for y in range(0, array.shape[0], size):
        for x in range(0, array.shape[1], size):
            chunk = np.ascontiguousarray(array[y : y + size, x : x + size])
            shuffled = np.ascontiguousarray(chunk.reshape(-1, 1).view(np.uint8).T)
            start = time.process_time()
            encoded.append(imagecodecs.deflate_encode(shuffled, level=1))
            spent["deflate"] += time.process_time() - start
    return encoded


def _write(file: BinaryIO, chunks: list[bytes], spent: dict[str, float]) -> None:
    start = time.process_time()
    for chunk in chunks:
        file.write(chunk)
    file.flush()
    os.fsync(file.fileno())
    spent["write"] += time.process_time() - start


if __name__ == "__main__":
    print(json.dumps(floor(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
