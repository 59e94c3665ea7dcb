"""Which declared parcels are kept, in which order and under which ids, and what the ledger says of each."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cropstack.errors import DeclarationError, LedgerRow
from cropstack.labels.code_rows import STAGE
from cropstack.labels.crops import MAX_EXCLUDED, Match
from cropstack.labels.gather import Gathered
from cropstack.labels.geoparquet import Repairs
from cropstack.labels.overlaps import PARCELS_AT_ONCE, overlaps
from cropstack.labels.parcels import Parcels, first_of_duplicates, stable_order, unique_ids
from cropstack.labels.spill import Spill

AREA_TOLERANCE = 0.05  # ASSUME: declared areas are rounded and exclude what the geometry includes
AREA_SLACK_M2 = 100.0
OVERLAPS_SHOWN = 20  # of one parcel; the ledger is read by people and by csv, which limits a field


def keep_parcels(
    declared: Gathered, spill: Spill, matches: dict[str, Match], *, origin: str, threads: int
) -> tuple[Parcels, list[LedgerRow]]:
    """Decide which parcels are kept, their order and ids, and name what happened to each of the declared ones.

    Parameters
    ----------
    declared : what was read; repairs and rejects are added to its `changes`.
    spill : geometries, for the overlaps. matches : rows of crops.csv by declared code.
    origin : names the declaration in messages. threads : that look for overlaps.

    Raises
    ------
    DeclarationError : no parcel is left, too much is excluded, or declared areas are off by 10 000.
    """
    changes = declared.changes
    excluded = _excluded(declared, matches)
    changes.reject("excluded", excluded)
    usable = np.flatnonzero(~changes.gone)
    order = usable[stable_order(declared.id.take(pa.array(usable)), declared.digest[usable], declared.code[usable])]
    changes.reject("duplicate", _duplicates(declared, order))
    kept = _keep(declared, order[~changes.gone[order]])
    if not len(kept.id):
        reasons = ", ".join(f"{len(found)} {reason}" for reason, found in sorted(changes.rejected.items()) if found)
        raise DeclarationError(f"{origin}: none of {len(declared.id)} parcels is usable: {reasons}.")
    _check_excluded(declared, list(excluded), origin)
    changes.repair("duplicate_id", _renamed(declared, kept))
    changes.repair("missing_id", _without_id(declared, kept))
    changes.repair("area_mismatch", _area_mismatches(declared, kept, origin))
    changes.repair("overlap", _overlap_evidence(kept, spill, threads))
    repaired = _of_kept(changes.repaired, kept, len(declared.id))
    return kept, _rows("rejected", changes.rejected, declared.id) + _rows("repaired", repaired, kept.id)


def _excluded(declared: Gathered, matches: dict[str, Match]) -> dict[int, str]:
    left_out = {code: match.crop for code, match in matches.items() if match.crop.class_code is None}
    texts = {code: f"crop {code} ({crop.name})" if code else "no crop declared" for code, crop in left_out.items()}
    is_out = np.isin(declared.code, [declared.codes.index(code) for code in left_out])
    if "" in left_out:  # a parcel without a code that has a name declares a crop
        named = np.array([name != "" for name in declared.names])
        is_out &= ~((declared.code == declared.codes.index("")) & named[declared.name])
    hectares = np.nan_to_num(declared.area_m2) / 1e4
    return {
        row: f"{texts[declared.codes[declared.code[row]]]}, {hectares[row]:.4f} ha"
        for row in np.flatnonzero(is_out).tolist()
    }


def _check_excluded(declared: Gathered, rows: list[int], origin: str) -> None:
    """A slip in crops.csv, or a column that lost its codes, must not leave out what is declared."""
    area = np.nan_to_num(declared.area_m2)
    share = area[rows].sum() / area.sum()
    if share > MAX_EXCLUDED:
        most = declared.codes[int(np.bincount(declared.code[rows], weights=area[rows]).argmax())]
        raise DeclarationError(
            f"{origin}: crops.csv excludes {share:.1%} of the declared area, most of it '{most}'; expected at most "
            f"{MAX_EXCLUDED:.0%}, for exclude is for what is no parcel. Check the columns in source.yaml, or give the "
            "code a class."
        )


def _duplicates(declared: Gathered, order: np.ndarray) -> dict[int, str]:
    first = first_of_duplicates(declared.digest[order], declared.code[order])
    again = np.flatnonzero(first != np.arange(len(first)))
    ids = declared.id.take(pa.array(order[first[again]])).to_pylist()
    return {row: f"same geometry and crop as {one}" for row, one in zip(order[again].tolist(), ids, strict=True)}


def _keep(declared: Gathered, rows: np.ndarray) -> Parcels:
    return Parcels(
        row=rows,
        id=unique_ids(declared.id.take(pa.array(rows))),
        code=declared.code[rows],
        codes=declared.codes,
        name=declared.name[rows],
        names=declared.names,
        area_m2=declared.area_m2[rows],
        box=declared.box[rows],
        is_multi=declared.is_multi[rows],
    )


def _renamed(declared: Gathered, kept: Parcels) -> dict[int, str]:
    before = declared.id.take(pa.array(kept.row))
    renamed = np.flatnonzero(pc.not_equal(before, kept.id))
    rows, ids = kept.row[renamed].tolist(), before.take(pa.array(renamed)).to_pylist()
    return {row: f"id {one} stands more than once" for row, one in zip(rows, ids, strict=True)}


def _without_id(declared: Gathered, kept: Parcels) -> dict[int, str]:
    if not declared.has_id.any():  # then none is published
        return {}
    return dict.fromkeys(
        kept.row[~declared.has_id[kept.row]].tolist(), "no id declared; derived from year and geometry"
    )


def _area_mismatches(declared: Gathered, kept: Parcels, origin: str) -> dict[int, str]:
    area, said = kept.area_m2, declared.declared_m2[kept.row]
    wrong = np.abs(said - area) > np.maximum(AREA_TOLERANCE * area, AREA_SLACK_M2)
    slip = np.zeros(len(area), bool)
    ratio = np.divide(said, area, out=np.ones_like(area), where=(area > 0) & ~np.isnan(said))
    for factor in (1e4, 1e-4):
        slip |= np.abs(ratio / factor - 1) < AREA_TOLERANCE
    if slip.sum() > len(slip) / 2:
        raise DeclarationError(
            f"{origin}: declared areas of {slip.mean():.0%} of the parcels are off by 10 000 (the first: "
            f"{said[slip][0]:.4g} m2, geometry {area[slip][0]:.4g} m2). Correct area_unit in source.yaml."
        )
    return {
        int(kept.row[i]): f"declared {said[i]:.1f} m2, geometry {area[i]:.1f} m2" + " (hectare slip)" * bool(slip[i])
        for i in np.flatnonzero(wrong)
    }


def _overlap_evidence(kept: Parcels, spill: Spill, threads: int) -> dict[int, str]:
    def read(parcels: np.ndarray) -> pa.LargeBinaryArray:
        return spill.read(kept.row[parcels])

    evidence: dict[int, list[str]] = {}
    area = kept.area_m2.astype(np.float32)  # as written: rasterise_labels draws by it
    found = overlaps(kept.box, area, read, parcels_at_once=PARCELS_AT_ONCE, threads=threads)
    for smaller, larger, shared in found:
        evidence.setdefault(int(kept.row[smaller]), []).append(f"{shared:.1f} m2 with {kept.id[larger]}")
    return {row: f"shares {_first(parts)}; drawn on top" for row, parts in evidence.items()}


def _first(parts: list[str]) -> str:
    more = len(parts) - OVERLAPS_SHOWN
    return ", ".join(parts[:OVERLAPS_SHOWN]) + (f" and {more} more" if more > 0 else "")


# --- ledger -----------------------------------------------------------------------------------------------


def _rows(action: str, reasons: dict[str, dict[int, str]], ids: pa.StringArray) -> list[LedgerRow]:
    """Rows of the ledger for the evidence by reason and place in `ids`."""
    rows = []
    for reason, evidence in reasons.items():
        units = ids.take(pa.array(list(evidence), pa.int64())).to_pylist()
        rows += [
            LedgerRow(unit, STAGE, action, reason, text) for unit, text in zip(units, evidence.values(), strict=True)
        ]
    return rows


def _of_kept(reasons: dict[str, dict[int, str]], kept: Parcels, declared: int) -> dict[str, dict[int, str]]:
    """Evidence of the parcels that are kept, by their place among them instead of their declared row."""
    place = np.full(declared, -1)
    place[kept.row] = np.arange(len(kept.row))
    return {
        reason: {int(place[row]): text for row, text in evidence.items() if place[row] >= 0}
        for reason, evidence in reasons.items()
    }


def repairs_of(kept: Parcels, declared: Gathered, matches: dict[str, Match]) -> Repairs:
    """Reasons of each kept parcel, those of its code too, sorted, separated by spaces."""
    of_code = np.array([matches[code].repair if code in matches else "" for code in kept.codes], object)
    reasons = sorted({*declared.changes.repaired, *of_code.tolist()} - {""})
    bits = np.zeros(len(declared.id), np.int64)
    for number, reason in enumerate(reasons):
        bits[list(declared.changes.repaired.get(reason, ()))] |= 1 << number
    of_code_bits = np.array([1 << reasons.index(reason) if reason else 0 for reason in of_code], np.int64)
    masks, index = np.unique(bits[kept.row] | of_code_bits[kept.code], return_inverse=True)
    texts = [" ".join(reason for number, reason in enumerate(reasons) if mask >> number & 1) for mask in masks.tolist()]
    return Repairs(index, texts)
