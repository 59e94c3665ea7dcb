"""Parcels of a country and year in one taxonomy, repaired, with a ledger of everything that was changed.

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
import shapely

from cropstack.errors import ConfigError, DeclarationError, LedgerRow
from cropstack.files import write_ledger
from cropstack.labels.code_rows import STAGE, check_unknown, code_rows
from cropstack.labels.crops import Crop, Match, check_reviewed, match_codes, read_crops
from cropstack.labels.declarations import Declared, metric_crs, outside, read_declared
from cropstack.labels.geoparquet import write_geoparquet
from cropstack.labels.parcels import (
    Parcels,
    derived_ids,
    first_of_duplicates,
    geometry_keys,
    overlaps,
    stable_order,
    unique_ids,
)
from cropstack.labels.repair import Repaired, repair_polygons
from cropstack.legend import UNKNOWN, read_classes
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
    declared = _read(declarations, edition, meaning["bounds"], year, source)
    matches = match_codes(declared.code, table, name_width=edition["name_width"])
    if not allow_unreviewed:
        check_reviewed(Counter(declared.code.tolist()), matches, crops)
    rows = _filter_rows(declared.filtered)
    origin = str(declarations[0])
    result = harmonise(declared, matches, rows, year=year, bounds=meaning["bounds"], origin=origin)
    if not len(result.id):
        raise DeclarationError(f"{origin}: none of {len(declared.id)} parcels is usable: {_summary(rows)}.")
    rows += code_rows(result, matches)
    check_unknown(result, matches, table, crops, max_unknown_share=max_unknown_share)
    provenance = {"country": country, "country_code": meaning["country_code"], "year": year, "source": meaning["name"]}
    provenance |= {"licence": meaning["licence"], "attribution": meaning["attribution"].format(year=year)}
    provenance |= {"share_alike": int(meaning["share_alike"])}  # a number: NetCDF attributes know no booleans
    provenance |= {"declared": len(declared.id)}  # check_layout balances it
    write_ledger(ledger, rows)
    write_geoparquet(parcels, result, declared.crs, year=year, provenance=provenance)
    print(f"{country} {year}: {len(result.id)} of {len(declared.id)} parcels, {len(rows)} rows in the ledger")


def _summary(rows: list[LedgerRow]) -> str:
    reasons = Counter(row.reason for row in rows)
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))


def _edition(meaning: dict[str, Any], year: int, source: Path) -> dict[str, Any]:
    for edition in meaning["editions"]:
        if year in edition["years"]:
            return dict(edition)
    years = sorted(year for edition in meaning["editions"] for year in edition["years"])
    raise ConfigError(f"{source}: no edition for {year}; there are {years}. Add one.")


def _read(files: list[Path], edition: dict[str, Any], bounds: list[float], year: int, source: Path) -> Declared:
    crs = metric_crs(edition, origin=f"{source}: {year}")
    batches = list(read_declared(files, edition, year=year, bounds=bounds, crs=crs))
    columns = {
        name: np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("geometry", "id", "code", "name", "area_m2")
    }
    filtered = sum((batch.filtered for batch in batches), Counter[tuple[str, str]]())
    return Declared(**columns, crs=crs, filtered=filtered)


def _filter_rows(filtered: Counter[tuple[str, str]]) -> list[LedgerRow]:
    """One row for each value that the filters of source.yaml leave out; these rows are no parcels of the edition."""
    return [
        LedgerRow(f"{column}: {value}", STAGE, "filtered", "filter", f"{count} rows left out by filters of source.yaml")
        for (column, value), count in filtered.items()
    ]


# --- rows ---------------------------------------------------------------------------------------------


def harmonise(
    declared: Declared, matches: dict[str, Match], rows: list[LedgerRow], *, year: int, bounds: list[float], origin: str
) -> Parcels:
    """Repaired parcels in stable order; what happened to single parcels is appended to `rows`.

    `origin` names the declaration in messages.
    """
    fixed = repair_polygons(declared.geometry)
    _reject_by_position_and_crop(declared, fixed, matches, bounds)
    keys = geometry_keys(fixed.geometry)
    ids = np.where(declared.id == "", derived_ids(keys, year=year), declared.id)
    order = stable_order(ids, keys, declared.code)
    order = _without_duplicates(order, ids, keys, declared.code, fixed)
    gone = fixed.is_rejected
    _add_rows(rows, "rejected", fixed.rejected, ids, np.ones(len(ids), bool))
    kept = order[~gone[order]]
    final = ids.copy()
    final[kept] = unique_ids(ids[kept])
    renamed = np.flatnonzero((final != ids) & ~gone)
    fixed.repaired["duplicate_id"] = {int(row): f"id {ids[row]} stands more than once" for row in renamed}
    if (declared.id != "").any():
        without = np.flatnonzero((declared.id == "") & ~gone)
        fixed.repaired["missing_id"] = {int(row): "no id declared; derived from year and geometry" for row in without}
    fixed.repaired["area_mismatch"] = _area_mismatches(declared, fixed.geometry, kept, origin)
    fixed.repaired["overlap"] = _overlap_evidence(fixed.geometry, kept, final)
    _add_rows(rows, "repaired", fixed.repaired, final, ~gone)
    return _collect(declared, fixed, matches, final, kept)


def _reject_by_position_and_crop(
    declared: Declared, fixed: Repaired, matches: dict[str, Match], bounds: list[float]
) -> None:
    away = np.flatnonzero(outside(fixed.geometry, declared.crs, bounds))
    middle = shapely.centroid(fixed.geometry[away])
    text = [f"at {point.x:.0f}, {point.y:.0f} in {declared.crs.to_string()}" for point in middle]
    fixed.reject("outside_country", {int(row): text[i] for i, row in enumerate(away)})
    left_out = {code: match.crop for code, match in matches.items() if match.crop.class_code is None}
    rows = np.flatnonzero(np.isin(declared.code, list(left_out)))
    codes = declared.code[rows]
    fixed.reject("excluded", {int(rows[i]): f"crop {code} ({left_out[code].name})" for i, code in enumerate(codes)})


def _without_duplicates(
    order: np.ndarray, ids: np.ndarray, keys: np.ndarray, codes: np.ndarray, fixed: Repaired
) -> np.ndarray:
    usable = order[~fixed.is_rejected[order]]
    first = first_of_duplicates(keys[usable], codes[usable])
    again = np.flatnonzero(first != np.arange(len(first)))
    evidence = {int(usable[i]): f"same geometry and crop as {ids[usable[first[i]]]}" for i in again}
    fixed.reject("duplicate", evidence)
    return usable


def _area_mismatches(declared: Declared, geometry: np.ndarray, kept: np.ndarray, origin: str) -> dict[int, str]:
    area, said = shapely.area(geometry[kept]), declared.area_m2[kept]
    wrong = np.abs(said - area) > np.maximum(AREA_TOLERANCE * area, AREA_SLACK_M2)
    slip = np.zeros(len(kept), bool)
    ratio = np.divide(said, area, out=np.ones_like(area), where=(area > 0) & ~np.isnan(said))
    for factor in (1e4, 1e-4):
        slip |= np.abs(ratio / factor - 1) < AREA_TOLERANCE
    if slip.sum() > len(slip) / 2:
        raise DeclarationError(
            f"{origin}: declared areas of {slip.mean():.0%} of the parcels are off by 10 000 (the first: "
            f"{said[slip][0]:.4g} m2, geometry {area[slip][0]:.4g} m2). Correct area_unit in source.yaml."
        )
    return {
        int(row): f"declared {said[i]:.1f} m2, geometry {area[i]:.1f} m2" + (" (hectare slip)" if slip[i] else "")
        for i, row in enumerate(kept)
        if wrong[i]
    }


def _overlap_evidence(geometry: np.ndarray, kept: np.ndarray, ids: np.ndarray) -> dict[int, str]:
    evidence: dict[int, list[str]] = {}
    for smaller, larger, shared in overlaps(geometry[kept]):
        evidence.setdefault(int(kept[smaller]), []).append(f"{shared:.1f} m2 with {ids[kept[larger]]}")
    return {row: "shares " + ", ".join(parts) + "; drawn on top" for row, parts in evidence.items()}


def _add_rows(
    rows: list[LedgerRow], action: str, reasons: dict[str, dict[int, str]], ids: np.ndarray, which: np.ndarray
) -> None:
    for reason, evidence in reasons.items():
        rows += [LedgerRow(ids[row], STAGE, action, reason, text) for row, text in evidence.items() if which[row]]


def _collect(
    declared: Declared, fixed: Repaired, matches: dict[str, Match], ids: np.ndarray, kept: np.ndarray
) -> Parcels:
    codes, index = np.unique(declared.code[kept].astype(str), return_inverse=True)
    found = [matches.get(code) or Match(Crop(code, "", "", UNKNOWN, None), "") for code in codes.tolist()]
    names = np.array([match.crop.name for match in found], object)[index]
    return Parcels(
        id=ids[kept],
        declared_code=declared.code[kept],
        code=np.array([match.crop.code for match in found], object)[index],
        name=np.where(names == "", declared.name[kept], names),
        geometry=fixed.geometry[kept],
        area_m2=shapely.area(fixed.geometry[kept]),
        class_code=np.array([match.crop.class_code for match in found], np.int32)[index],
        hcat=np.array([match.crop.hcat for match in found], object)[index],
        repairs=_reasons(fixed, np.array([match.repair for match in found], object)[index], kept),
    )


def _reasons(fixed: Repaired, of_code: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Reasons of each kept row, sorted, separated by spaces."""
    reasons = np.full(len(fixed.geometry), "", object)
    for reason in sorted(fixed.repaired):
        rows = list(fixed.repaired[reason])
        reasons[rows] += reason + " "
    joined = reasons[kept] + of_code
    return np.array([" ".join(sorted(text.split())) for text in joined], object)


if __name__ == "__main__":
    step(harmonise_parcels, snakemake)  # noqa: F821
