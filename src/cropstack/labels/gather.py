"""The parcels of a whole declaration, taken up batch by batch: geometries go to a file, columns stay in memory."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely

from cropstack.labels.batch_geometry import with_repaired
from cropstack.labels.declarations import Declared
from cropstack.labels.parcels import derived_ids, geometry_digests
from cropstack.labels.repair import Changes, joined, placed, repair_polygons
from cropstack.labels.spill import Spill


@dataclass(frozen=True)
class Gathered:
    """All declared parcels, one entry a row, in the order of the files; about 100 bytes a row.

    Attributes
    ----------
    id : text, as declared or derived where `has_id` (bool) is false.
    code, name : int32, as declared: indices of `codes` (sorted) and `names`.
    declared_m2, area_m2 : float64, of the declaration (NaN where none) and of the repaired geometry.
    box : float64 (rows, 4), bounds of the repaired geometry in m.
    is_multi : bool, MultiPolygon.
    digest : uint64 (rows, 2), of year and repaired geometry.
    changes : repairs and rejects so far. filtered : rows left out by filters, by column and value.
    """

    id: pa.StringArray
    has_id: np.ndarray
    code: np.ndarray
    codes: list[str]
    name: np.ndarray
    names: list[str]
    declared_m2: np.ndarray
    area_m2: np.ndarray
    box: np.ndarray
    is_multi: np.ndarray
    digest: np.ndarray
    changes: Changes
    filtered: Counter[tuple[str, str]]


@dataclass
class _Texts:
    """Distinct texts in the order in which they came."""

    place: dict[str, int] = field(default_factory=dict)

    def indices(self, texts: np.ndarray) -> np.ndarray:
        """The index of each text, int32; new ones are added."""
        found, distinct = pd.factorize(texts)
        places = [self.place.setdefault(text, len(self.place)) for text in distinct.tolist()]
        return np.array(places, np.int32)[found]


@dataclass(frozen=True)
class Repaired:
    """A batch of parcels, its repaired geometries as little-endian WKB (uint8) one after the other.

    `offsets` int64 (rows + 1), where each begins; `columns` are those of `Gathered` that geometries decide.
    """

    declared: Declared
    wkb: np.ndarray
    offsets: np.ndarray
    columns: dict[str, np.ndarray]
    changes: Changes


def repair_batch(batch: Declared, *, year: int) -> Repaired:
    """Repair the geometries of a batch and reject what lies outside the country."""
    rows = np.flatnonzero(~batch.geometry.is_plain)
    others, changed = repair_polygons(batch.geometry.others)
    wkb, offsets = with_repaired(batch.geometry, others)
    geometry = np.full(len(batch.id), None, object)
    geometry[rows] = others
    area, box = batch.geometry.area_m2.copy(), batch.geometry.box.copy()
    area[rows], box[rows] = shapely.area(others), shapely.bounds(others)
    columns: dict[str, np.ndarray] = {
        "area_m2": area,
        "box": box,
        "is_multi": shapely.get_num_geometries(geometry) > 1,
        "digest": geometry_digests(geometry, wkb, offsets, year=year),
    }
    changes = placed(changed, rows, len(batch.id))
    _reject_outside(box, changes, batch)
    return Repaired(batch, wkb, offsets, columns, changes)


def gather(batches: Iterable[Repaired], spill: Spill) -> Gathered:
    """Put the columns of batch after batch together, and their geometries into `spill`."""
    codes, names = _Texts(), _Texts()
    columns: dict[str, list[np.ndarray]] = {}
    ids, changes = [], []
    filtered: Counter[tuple[str, str]] = Counter()
    for batch in batches:
        spill.add(batch.wkb, batch.offsets)
        declared = batch.declared
        row = {"code": codes.indices(declared.code), "name": names.indices(declared.name)}
        row |= {"declared_m2": declared.area_m2, "has_id": declared.id != ""} | batch.columns
        for name, values in row.items():
            columns.setdefault(name, []).append(values)
        ids.append(_ids(declared.id, batch.columns["digest"]))
        changes.append(batch.changes)
        filtered += declared.filtered
    spill.finish()
    whole = {name: np.concatenate(columns.pop(name)) for name in list(columns)}
    whole["code"], sorted_codes = _sorted(whole["code"], list(codes.place))
    all_ids = pa.concat_arrays(ids)
    return Gathered(
        id=all_ids, codes=sorted_codes, names=list(names.place), changes=joined(changes), filtered=filtered, **whole
    )


def _ids(declared: np.ndarray, digest: np.ndarray) -> pa.StringArray:
    """Declared ids, derived ones where there is none."""
    ids, without = declared.copy(), declared == ""
    ids[without] = derived_ids(digest[without])
    return pa.array(ids, pa.string())


def _reject_outside(box: np.ndarray, changes: Changes, batch: Declared) -> None:
    away = np.flatnonzero(batch.outside & ~changes.gone)
    middle = (box[away, :2] + box[away, 2:]) / 2
    texts = [f"at {x:.0f}, {y:.0f} in {batch.crs.to_string()}" for x, y in middle]
    changes.reject("outside_country", dict(zip(away.tolist(), texts, strict=True)))


def _sorted(indices: np.ndarray, texts: list[str]) -> tuple[np.ndarray, list[str]]:
    """The same texts, sorted, and the indices that fit them: batches of another size come to the same."""
    order = sorted(range(len(texts)), key=texts.__getitem__)
    rank = np.empty(len(texts), np.int32)
    rank[order] = np.arange(len(texts))
    return rank[indices], [texts[place] for place in order]
