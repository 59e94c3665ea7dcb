"""What farmers in a country write for the classes of the taxonomy: codes in France, names in Catalonia.

A part of `taxonomy/countries/<cc>/crops.csv` seen from the other side; a test compares the two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropstack.simulate.noise import uniforms


@dataclass(frozen=True)
class NativeCrop:
    """`code` as declared; `group` as the office sorts it (RPG's number, DUN's Catalan word)."""

    code: str
    group: str


CropTable = dict[int, tuple[NativeCrop, ...]]

# RPG: codes and groups of culture. SOURCE: list of crops of the RPG, as in the published codes of BreizhCrops.
FR: CropTable = {
    110: (NativeCrop("BTH", "1"), NativeCrop("BTH", "1"), NativeCrop("BTP", "1"), NativeCrop("BDH", "4")),
    120: (NativeCrop("MIS", "2"), NativeCrop("MIS", "2"), NativeCrop("MIE", "2")),
    140: (NativeCrop("SOG", "4"),),
    150: (NativeCrop("ORH", "3"), NativeCrop("ORH", "3"), NativeCrop("ORP", "3")),
    160: (NativeCrop("SGH", "4"), NativeCrop("SGP", "4")),
    170: (NativeCrop("AVH", "4"), NativeCrop("AVP", "4"), NativeCrop("TTH", "4")),
    191: (NativeCrop("MCR", "4"),),
    231: (NativeCrop("CAR", "25"),),
    330: (NativeCrop("VRC", "21"), NativeCrop("VRC", "21"), NativeCrop("RVI", "21")),
    356: (NativeCrop("PRU", "20"),),
    410: (NativeCrop("SOJ", "7"),),
    435: (NativeCrop("CZH", "5"), NativeCrop("CZP", "5")),
    438: (NativeCrop("TRN", "6"),),
    510: (NativeCrop("PTC", "25"), NativeCrop("PTF", "25")),
    750: (NativeCrop("LEC", "15"),),
    770: (NativeCrop("PHI", "8"), NativeCrop("PPR", "8")),
    911: (NativeCrop("LUZ", "16"), NativeCrop("RGA", "16"), NativeCrop("PTR", "19")),
    912: (NativeCrop("PPH", "18"),),
    975: (NativeCrop("J5M", "11"), NativeCrop("J6S", "11"), NativeCrop("SNE", "28")),
}

# DUN up to 2022: names say whether the parcel counts as ecological focus area (SIE); several exceed 30 characters.
# SOURCE: names of the Sen4AgriNet mapping and of fiboa's list of DUN names.
ES_CT_2019: CropTable = {
    110: (NativeCrop("BLAT TOU", "CEREALS"), NativeCrop("BLAT TOU", "CEREALS"), NativeCrop("BLAT DUR", "CEREALS")),
    120: (NativeCrop("BLAT DE MORO", "CEREALS D’ESTIU"),),
    140: (NativeCrop("SORGO", "CEREALS D’ESTIU"),),
    150: (NativeCrop("ORDI", "CEREALS"),),
    160: (NativeCrop("SÈGOL", "CEREALS"),),
    170: (NativeCrop("CIVADA", "CEREALS"), NativeCrop("CIVADA", "CEREALS"), NativeCrop("TRITICALE", "CEREALS")),
    234: (NativeCrop("CEBA TENDRA", "HORTÍCOLES"),),
    330: (NativeCrop("VINYES", "VINYA"), NativeCrop("VINYES", "VINYA"), NativeCrop("RAÏM DE TAULA", "VINYA")),
    361: (NativeCrop("AMETLLERS", "FRUITS DE CLOSCA"),),
    410: (NativeCrop("SOIA NO SIE", "OLEAGINOSES"), NativeCrop("SOIA SIE", "OLEAGINOSES")),
    435: (NativeCrop("COLZA", "OLEAGINOSES"),),
    438: (NativeCrop("GIRA-SOL", "OLEAGINOSES"),),
    442: (NativeCrop("OLIVERES", "OLIVERAR"),),
    510: (NativeCrop("PATATA", "HORTÍCOLES"),),
    730: (NativeCrop("CIGRONS NO SIE", "LLEGUMINOSES"), NativeCrop("CIGRONS SIE", "LLEGUMINOSES")),
    770: (NativeCrop("PÈSOLS NO SIE", "PROTEAGINOSES"), NativeCrop("PÈSOLS SIE", "PROTEAGINOSES")),
    911: (
        NativeCrop("ALFALS NO SIE", "FARRATGERES"),
        NativeCrop("ALFALS SIE", "FARRATGERES"),
        NativeCrop("DALL O FROMENTAL (ARRHENATHERUM)", "FARRATGERES"),
    ),
    912: (NativeCrop("FESTUCA", "FARRATGERES"),),
    975: (
        NativeCrop("GUARET NO SIE/ SUP. LLIURE SEMBRA", "GUARET"),
        NativeCrop("GUARET SIE/ SUP. LLIURE SEMBRA", "GUARET"),
        NativeCrop("GUARET SIE AMB ESPÈCIES MEL·LÍFERES", "GUARET"),
    ),
    981: (NativeCrop("VEÇA I CIVADA NO SIE", "FARRATGERES"), NativeCrop("VEÇA I CIVADA SIE", "FARRATGERES")),
}

# DUN as published in 2023: singular names, no focus areas.
ES_CT_2020: CropTable = ES_CT_2019 | {
    234: (NativeCrop("CEBA I CALÇOT", "HORTÍCOLES"),),
    330: (NativeCrop("VINYA", "VINYA"),),
    361: (NativeCrop("AMETLLER", "FRUITS DE CLOSCA"),),
    410: (NativeCrop("SOIA", "OLEAGINOSES"),),
    442: (NativeCrop("OLIVERA", "OLIVERAR"),),
    730: (NativeCrop("CIGRÓ", "LLEGUMINOSES"),),
    770: (NativeCrop("PÈSOL", "PROTEAGINOSES"),),
    911: (
        NativeCrop("ALFALS", "FARRATGERES"),
        NativeCrop("RAIGRÀS MULTIFLORUM", "FARRATGERES"),
        NativeCrop("PASTURES DE MENYS DE 5 ANYS", "FARRATGERES"),
    ),
    975: (NativeCrop("GUARET / SUP. LLIURE SEMBRA", "GUARET"), NativeCrop("GUARET BIODIVERSITAT", "GUARET")),
    981: (NativeCrop("VEÇA I CIVADA", "FARRATGERES"),),
}

# Codes that no table knows, for the fault "unknown_code".
UNKNOWN: dict[str, tuple[NativeCrop, ...]] = {
    "fr": (NativeCrop("QZX", "28"), NativeCrop("9Y9", "28")),
    "es_ct": (NativeCrop("XIPELL BLAU", "ALTRES PRODUCTES"), NativeCrop("ZITZÀNIA", "ALTRES PRODUCTES")),
}


def choose_crops(
    class_codes: NDArray[np.int32], parcel_id: NDArray[np.int64], table: CropTable, *, seed: int
) -> list[NativeCrop]:
    """A native crop of each parcel's class; a parcel keeps to its variety.

    Raises
    ------
    KeyError : a class that the table lacks; the crop shares of `world.py` and the table must agree.
    """
    draw = uniforms(seed, "native crop", parcel_id)
    return [table[int(code)][int(u * len(table[int(code)]))] for code, u in zip(class_codes, draw, strict=True)]
