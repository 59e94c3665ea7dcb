"""Section "Provenance": sources, licences, processing baselines and offsets, every product."""

from collections import Counter
from typing import Any

from cropstack.report.inputs import Inputs
from cropstack.report.tables import Source, read_mapping

PRODUCTS_SHOWN = 3000


def provenance(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    groups = Counter(
        tuple(_distinct(text) for text in (scene.processing_baselines, scene.offset_applied, scene.provider))
        for scene in inputs.scenes
    )
    mappings = {read_mapping(path) for path in inputs.files.parcels.values()}
    products = sorted(inputs.products, key=lambda row: (row["tile"], row["sensing"], row["product"]))
    return {
        "simulated": any("simulated" in scene.provider.split() for scene in inputs.scenes),
        "years": sorted({year for _, _, year in inputs.tile_years}),
        "sources": [_source(inputs, source) for source in inputs.sources],
        "mappings": sorted(mapping for mapping in mappings if mapping),
        "baselines": [
            {"baselines": baselines, "offset": offset, "provider": provider, "count": count}
            for (baselines, offset, provider), count in sorted(groups.items())
        ],
        "products": products[:PRODUCTS_SHOWN],
        "products_in_all": len(products),
        "applied": {product: scene.offset_applied for scene in inputs.scenes for product in scene.products},
    }


def _distinct(values: str) -> str:
    """What the products of a scene have, one after another, without what repeats."""
    return " ".join(dict.fromkeys(values.split()))


def _source(inputs: Inputs, source: Source) -> dict[str, Any]:
    years = sorted({year for country, _, year in inputs.tile_years if country == source.country})
    return {
        "name": source.name,
        "years": years,
        "licence": source.licence,
        "share_alike": source.share_alike,
        "attributions": list(dict.fromkeys(source.attribution.replace("{year}", str(year)) for year in years)),
    }
