"""Parcels of a country and year in one taxonomy, repaired, with a ledger of everything that was changed.

The flow, in which geometries are in memory a batch at a time and all else for the whole country:

1. read: batches of the files as published (`declarations`);
2. repair: geometries batch by batch, to a temporary file beside the output (`gather`, `repair`, `spill`);
3. order: excluded crops and duplicates out, ids unique, an order that no file decides (`keep_parcels`, `parcels`);
4. overlaps: block by block over the ground (`overlaps`, `shared_area`);
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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cropstack.errors import ConfigError, LedgerRow
from cropstack.files import replace_on_success, write_ledger
from cropstack.labels.ahead import ahead
from cropstack.labels.code_rows import STAGE, check_unknown, code_rows
from cropstack.labels.crops import check_reviewed, match_codes, read_crops
from cropstack.labels.declarations import ROWS_AT_ONCE, metric_crs, read_declared
from cropstack.labels.gather import Gathered, gather, repair_batch
from cropstack.labels.geoparquet import write_geoparquet
from cropstack.labels.keep_parcels import keep_parcels, repairs_of
from cropstack.labels.spill import Spill
from cropstack.legend import read_classes
from cropstack.schema import read_yaml
from cropstack.step import step

# Of crops.csv and classes.csv, hence of classes and HCAT codes of parcels. SOURCE: taxonomy/README.md, last section.
MAPPING_LICENCE = "CC BY-SA 4.0"
MAPPING_ATTRIBUTION = (
    "classes and HCAT codes adapted from Sen4AgriNet (Sykas et al. 2022), EuroCrops (Schneider et al.) and "
    "EuropeLand IACS (Jänicke et al.)"
)


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
    simulated: bool,
    threads: int,
) -> None:
    """Write the parcels of a declaration in the taxonomy as GeoParquet, and the ledger of repairs and rejects.

    Parameters
    ----------
    declarations : files as published; source : the country's source.yaml, closed by `schema`.
    crops, classes : what codes mean, and the taxonomy.
    max_unknown_share : share of the area whose code may be missing in `crops`, 0 to 1.
    allow_unreviewed : whether declared codes may find rows that nobody has checked.
    simulated : whether the files are made up; their parcels must not bear the office's name alone.
    threads : that work on geometries, beside one that reads; as many batches are in memory, and up to three more.

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
    batches = read_declared(
        declarations,
        edition,
        year=year,
        bounds=meaning["bounds"],
        crs=crs,
        rows_at_once=ROWS_AT_ONCE,
        scratch=parcels.with_name(f".tmp-unpacked-{parcels.stem}"),
    )
    with replace_on_success(parcels) as temporary, Spill(parcels.parent) as spill:
        with ahead(batches, partial(repair_batch, year=year), threads=threads) as repaired:
            declared = gather(repaired, spill)
        matches = match_codes(declared.codes, table, name_width=edition["name_width"])
        if not allow_unreviewed:
            check_reviewed(_counts(declared), matches, crops)
        kept, rows = keep_parcels(declared, spill, matches, origin=str(declarations[0]), threads=threads)
        matches = {code: match for code, match in matches.items() if match.crop.class_code is not None}
        rows += _filter_rows(declared.filtered) + code_rows(kept, matches)
        check_unknown(kept, matches, table, crops, max_unknown_share=max_unknown_share)
        provenance = _provenance(meaning, country, year, simulated=simulated)
        provenance["declared"] = len(declared.id)  # check_layout balances it
        repairs = repairs_of(kept, declared, matches)
        write_geoparquet(temporary, kept, spill, matches, repairs, crs=crs, year=year, provenance=provenance)
        write_ledger(ledger, rows)
    print(f"{country} {year}: {len(kept.id)} of {len(declared.id)} parcels, {len(rows)} rows in the ledger")


def _edition(meaning: dict[str, Any], year: int, source: Path) -> dict[str, Any]:
    for edition in meaning["editions"]:
        if year in edition["years"]:
            return dict(edition)
    years = sorted(year for edition in meaning["editions"] for year in edition["years"])
    raise ConfigError(f"{source}: no edition for {year}; there are {years}. Add one.")


def _provenance(meaning: dict[str, Any], country: str, year: int, *, simulated: bool) -> dict[str, Any]:
    attribution = meaning["attribution"].format(year=year)
    return {
        "country": country,
        "country_code": meaning["country_code"],
        "year": year,
        "source": meaning["name"],
        "licence": "none, simulated" if simulated else meaning["licence"],
        "attribution": f"Simulated declarations in the form of {attribution}" if simulated else attribution,
        "share_alike": int(meaning["share_alike"]),  # a number: NetCDF attributes know no booleans
        "mapping_licence": MAPPING_LICENCE,
        "mapping_attribution": MAPPING_ATTRIBUTION,
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


if __name__ == "__main__":
    step(harmonise_parcels, snakemake)  # noqa: F821
