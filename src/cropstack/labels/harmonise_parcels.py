"""Parcels of a country and year in one taxonomy, repaired, with a ledger of everything that was changed.

The flow, in which geometries are in memory a batch at a time and all else for the whole country:

1. read: batches of the files as published (`declarations`);
2. repair: geometries batch by batch, to a temporary file beside the output (`gather`, `repair`, `spill`);
3. order: excluded crops and duplicates out, ids unique, parcels in an order that no file decides (`parcels`);
4. overlaps: block by block over the ground (`overlaps`);
5. write: row group by row group (`geoparquet`), then the ledger.

Reasons in the ledger, each with the parcel's id (or, where it says so, the crop code) as unit:

======================= ============ ==========================================================================
reason                  action       meaning
======================= ============ ==========================================================================
``empty_geometry``      rejected     no geometry, or one without points
``invalid_geometry``    repaired     made valid; the area stayed within 5 % or 100 m²
``invalid_geometry``    rejected     coordinates that are no numbers, or the repair changed the area more
``not_polygon``         both         lines and points; polygons in a collection are kept
``sliver``              both         under 10 m² or on average under 1 m wide; other parts of a parcel are kept
``duplicate``           rejected     same geometry (at 1 cm) and crop as a parcel that is kept
``outside_country``     rejected     outside the bounds of source.yaml, while nearly all others are inside
``excluded``            rejected     the crop table says that this is no crop
``z_dropped``           repaired     Z or M coordinates dropped
``multipart``           repaired     several parts, kept as one parcel
``filter``              filtered     left out by filters of source.yaml; unit is column and value, a row for each
``duplicate_id``        repaired     the id stands more than once; a number is appended
``missing_id``          repaired     others have one; derived from year and geometry as where none is published
``overlap``             repaired     shares more than 10 m² with another; both kept, the smaller is drawn on top
``area_mismatch``       repaired     declared area replaced by that of the geometry; says so if off by 10 000
``mojibake``            repaired     crop name decoded with the wrong table; unit is the code
``unaccented``          repaired     crop name without its accents; unit is the code
``truncated``           repaired     crop name cut at the width of its column; unit is the code
``unknown_code``        repaired     no row in crops.csv, class 998; unit is the code, empty where none declared
``unmapped_code``       repaired     the row in crops.csv itself says 998; unit is the code
``unreviewed_code``     repaired     nobody has checked the row in crops.csv (allow_unreviewed); unit is the code
======================= ============ ==========================================================================
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cropstack.errors import ConfigError, DeclarationError, LedgerRow
from cropstack.files import replace_on_success, write_ledger
from cropstack.labels.code_rows import STAGE, check_unknown, code_rows
from cropstack.labels.crops import Match, check_reviewed, match_codes, read_crops
from cropstack.labels.declarations import ROWS_AT_ONCE, metric_crs, read_declared
from cropstack.labels.gather import Gathered, gather
from cropstack.labels.geoparquet import Repairs, write_geoparquet
from cropstack.labels.overlaps import PARCELS_AT_ONCE, overlaps
from cropstack.labels.parcels import Parcels, first_of_duplicates, stable_order, unique_ids
from cropstack.labels.spill import Spill
from cropstack.legend import read_classes
from cropstack.schema import read_yaml
from cropstack.step import step

AREA_TOLERANCE = 0.05  # ASSUME: declared areas are rounded and exclude what the geometry includes
AREA_SLACK_M2 = 100.0


def harmonise_parcels(
    declarations: list[Path],
    source: Path,
    schema: Path,
    crops: Path,
    classes: Path,
    parcels: Path,
    ledger: Path,
    *,
    country: str,
    year: int,
    max_unknown_share: float,
    allow_unreviewed: bool,
) -> None:
    """Write the parcels of a declaration in the taxonomy as GeoParquet, and the ledger of repairs and rejects.

    Parameters
    ----------
    declarations : files as published; source : the country's source.yaml, closed by `schema`.
    crops, classes : what codes mean, and the taxonomy.
    max_unknown_share : share of the area whose code may be missing in `crops`, 0 to 1.
    allow_unreviewed : whether declared codes may find rows that nobody has checked.

    Raises
    ------
    DeclarationError : a file that cannot be read as source.yaml says, or without any usable parcel.
    UnknownCropCode : more area than tolerated has a code without a row.
    ConfigError : source.yaml or crops.csv contradict their schema or the taxonomy, or rows are unreviewed.
    """
    meaning = read_yaml(source, schema)
    edition = _edition(meaning, year, source)
    table = read_crops(crops, read_classes(classes), year=year)
    crs = metric_crs(edition, origin=f"{source}: {year}")
    origin, bounds = str(declarations[0]), meaning["bounds"]
    batches = read_declared(declarations, edition, year=year, bounds=bounds, crs=crs, rows_at_once=ROWS_AT_ONCE)
    with replace_on_success(parcels) as temporary, Spill(parcels.parent) as spill:
        declared = gather(batches, spill, year=year, bounds=bounds)
        matches = match_codes(declared.codes, table, name_width=edition["name_width"])
        if not allow_unreviewed:
            check_reviewed(_counts(declared), matches, crops)
        rows = _filter_rows(declared.filtered)
        kept = harmonise(declared, spill, matches, rows, origin=origin)
        rows += code_rows(kept, matches)
        check_unknown(kept, matches, table, crops, max_unknown_share=max_unknown_share)
        provenance = _provenance(meaning, country, year) | {"declared": len(declared.id)}  # check_layout balances it
        repairs = _repairs(kept, declared, matches)
        write_geoparquet(temporary, kept, spill, matches, repairs, crs=crs, year=year, provenance=provenance)
        write_ledger(ledger, rows)
    print(f"{country} {year}: {len(kept.id)} of {len(declared.id)} parcels, {len(rows)} rows in the ledger")


def _edition(meaning: dict[str, Any], year: int, source: Path) -> dict[str, Any]:
    for edition in meaning["editions"]:
        if year in edition["years"]:
            return dict(edition)
    years = sorted(year for edition in meaning["editions"] for year in edition["years"])
    raise ConfigError(f"{source}: no edition for {year}; there are {years}. Add one.")


def _provenance(meaning: dict[str, Any], country: str, year: int) -> dict[str, Any]:
    return {
        "country": country,
        "country_code": meaning["country_code"],
        "year": year,
        "source": meaning["name"],
        "licence": meaning["licence"],
        "attribution": meaning["attribution"].format(year=year),
        "share_alike": int(meaning["share_alike"]),  # a number: NetCDF attributes know no booleans
    }


def _counts(declared: Gathered) -> dict[str, int]:
    """Parcels by declared code."""
    counts = np.bincount(declared.code, minlength=len(declared.codes)).tolist()
    return dict(zip(declared.codes, counts, strict=True))


def _filter_rows(filtered: Counter[tuple[str, str]]) -> list[LedgerRow]:
    """One row for each value that the filters of source.yaml leave out; these rows are no parcels of the edition."""
    return [
        LedgerRow(f"{column}: {value}", STAGE, "filtered", "filter", f"{count} rows left out by filters of source.yaml")
        for (column, value), count in filtered.items()
    ]


# --- order and relations ----------------------------------------------------------------------------------


def harmonise(
    declared: Gathered, spill: Spill, matches: dict[str, Match], rows: list[LedgerRow], *, origin: str
) -> Parcels:
    """The parcels that are kept, in stable order; what happened to single parcels is appended to `rows`.

    Geometries are read from `spill`. `origin` names the declaration in messages.

    Raises
    ------
    DeclarationError : no parcel is left, or declared areas are off by 10 000.
    """
    changes = declared.changes
    changes.reject("excluded", _excluded(declared, matches))
    usable = np.flatnonzero(~changes.gone)
    order = usable[stable_order(declared.id.take(pa.array(usable)), declared.digest[usable], declared.code[usable])]
    changes.reject("duplicate", _duplicates(declared, order))
    _add_rows(rows, "rejected", changes.rejected, declared.id)
    kept = _keep(declared, order[~changes.gone[order]])
    if not len(kept.id):
        reasons = ", ".join(f"{len(found)} {reason}" for reason, found in sorted(changes.rejected.items()) if found)
        raise DeclarationError(f"{origin}: none of {len(declared.id)} parcels is usable: {reasons}.")
    changes.repair("duplicate_id", _renamed(declared, kept))
    changes.repair("missing_id", _without_id(declared, kept))
    changes.repair("area_mismatch", _area_mismatches(declared, kept, origin))
    changes.repair("overlap", _overlap_evidence(kept, spill))
    _add_kept_rows(rows, changes.repaired, kept, len(declared.id))
    return kept


def _excluded(declared: Gathered, matches: dict[str, Match]) -> dict[int, str]:
    left_out = {code: match.crop for code, match in matches.items() if match.crop.class_code is None}
    rows = np.flatnonzero(np.isin(declared.code, [declared.codes.index(code) for code in left_out]))
    codes = [declared.codes[code] for code in declared.code[rows].tolist()]
    return {row: f"crop {code} ({left_out[code].name})" for row, code in zip(rows.tolist(), codes, strict=True)}


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


def _overlap_evidence(kept: Parcels, spill: Spill) -> dict[int, str]:
    def read(parcels: np.ndarray) -> pa.LargeBinaryArray:
        return spill.read(kept.row[parcels])

    evidence: dict[int, list[str]] = {}
    area = kept.area_m2.astype(np.float32)  # as written: rasterise_labels draws by it
    for smaller, larger, shared in overlaps(kept.box, area, read, parcels_at_once=PARCELS_AT_ONCE):
        evidence.setdefault(int(kept.row[smaller]), []).append(f"{shared:.1f} m2 with {kept.id[larger]}")
    return {row: "shares " + ", ".join(parts) + "; drawn on top" for row, parts in evidence.items()}


# --- ledger -----------------------------------------------------------------------------------------------


def _add_rows(rows: list[LedgerRow], action: str, reasons: dict[str, dict[int, str]], ids: pa.StringArray) -> None:
    for reason, evidence in reasons.items():
        units = ids.take(pa.array(list(evidence), pa.int64())).to_pylist()
        rows += [
            LedgerRow(unit, STAGE, action, reason, text) for unit, text in zip(units, evidence.values(), strict=True)
        ]


def _add_kept_rows(rows: list[LedgerRow], reasons: dict[str, dict[int, str]], kept: Parcels, declared: int) -> None:
    """Rows of parcels that are kept, under the ids that they have now."""
    place = _places(kept, declared)
    by_place = {
        reason: {int(place[row]): text for row, text in evidence.items() if place[row] >= 0}
        for reason, evidence in reasons.items()
    }
    _add_rows(rows, "repaired", by_place, kept.id)


def _places(kept: Parcels, declared: int) -> np.ndarray:
    """For each declared row its place among the parcels that are kept, -1 where it is not."""
    place = np.full(declared, -1)
    place[kept.row] = np.arange(len(kept.row))
    return place


def _repairs(kept: Parcels, declared: Gathered, matches: dict[str, Match]) -> Repairs:
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


if __name__ == "__main__":
    step(harmonise_parcels, snakemake)  # noqa: F821
