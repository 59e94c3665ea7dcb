"""Reflectance of the simulated world: crops, soils and other covers through the year, as a satellite sees them.

A field is a mixture of soil, green canopy and straw whose shares follow the crop's calendar (a double logistic
curve); canopies differ in the pigments, structure and water that each band sees. The calendar shifts by region and
year for every crop on its own, and by field; so do vigour, soil and leaf traits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cropstack.bands import S2_BANDS
from cropstack.errors import ConfigError
from cropstack.simulate.noise import Floats, normals

WORLD_SEED = 8  # of the shifts of regions and years, the same in every simulation
BANDS = len(S2_BANDS)

# Surface reflectance by band, B01..B12 in the order of S2_BANDS. ASSUME: typical spectra of the kind in open
# spectral libraries, rounded; B10 sees no surface.
SOIL = np.array([0.07, 0.09, 0.125, 0.165, 0.19, 0.205, 0.22, 0.235, 0.25, 0.26, 0.0, 0.33, 0.29])
STRAW = np.array([0.09, 0.11, 0.165, 0.225, 0.265, 0.295, 0.32, 0.345, 0.365, 0.37, 0.0, 0.38, 0.29])
CANOPY = np.array([0.018, 0.025, 0.055, 0.028, 0.085, 0.30, 0.39, 0.43, 0.45, 0.45, 0.0, 0.21, 0.10])
WATER = np.array([0.06, 0.055, 0.05, 0.035, 0.028, 0.022, 0.020, 0.018, 0.016, 0.014, 0.0, 0.01, 0.006])
BUILT = np.array([0.12, 0.14, 0.165, 0.185, 0.195, 0.21, 0.22, 0.235, 0.245, 0.25, 0.0, 0.26, 0.235])

# What leaf traits and flowers do to the canopy's spectrum: relative change by band for one unit.
PIGMENT = np.array([-0.10, -0.16, -0.30, -0.22, -0.22, -0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])  # chlorophyll
STRUCTURE = np.array([0.0, 0.0, 0.05, 0.0, 0.08, 0.16, 0.22, 0.25, 0.25, 0.25, 0.0, 0.10, 0.05])  # leaf layers
MOISTURE = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.02, -0.06, 0.0, -0.24, -0.32])  # water in leaves
WAX = np.array([0.40, 0.42, 0.20, 0.30, 0.12, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.04, 0.08])  # glaucous bloom, awns
TRAITS = np.stack([PIGMENT, STRUCTURE, MOISTURE, WAX])
FLOWER = np.array([0.0, 0.0, 0.07, 0.055, 0.05, 0.03, 0.02, 0.01, 0.01, 0.01, 0.0, 0.0, 0.0])  # yellow petals, added

# The clear standard atmosphere: reflectance of the path and transmittance there and back.
PATH = np.array([0.100, 0.074, 0.046, 0.029, 0.025, 0.020, 0.017, 0.013, 0.012, 0.006, 0.0012, 0.003, 0.001])
TRANSMITTANCE = np.array([0.78, 0.82, 0.86, 0.90, 0.91, 0.92, 0.94, 0.94, 0.96, 0.45, 0.02, 0.96, 0.95])


@dataclass(frozen=True)
class Calendar:
    """A cover's year: days of year at which green cover is half up and half gone, and how fast (days)."""

    up: float
    up_days: float
    down: float
    down_days: float
    cover: float  # greatest share of ground under green canopy
    base: float = 0.04  # green share outside the season: weeds, volunteers, evergreen leaves
    straw: float = 0.0  # share of the ground under straw or dry litter after the season
    flower_day: float = 0.0
    flower: float = 0.0  # share of the canopy's surface that is petals
    traits: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # pigment, structure, moisture, wax


# ASSUME: calendars of the western Mediterranean in a mean year; cereals alike on purpose.
CALENDARS: dict[int, Calendar] = {
    110: Calendar(75, 17, 168, 8, 0.90, straw=0.75, traits=(0.35, 0.15, 0.10, 0.30)),  # wheat
    150: Calendar(69, 16, 157, 8, 0.88, straw=0.70, traits=(-0.15, 0.05, -0.10, 0.75)),  # barley
    160: Calendar(65, 16, 164, 9, 0.86, straw=0.78, traits=(-0.05, -0.35, -0.20, 1.00)),  # rye
    170: Calendar(77, 18, 167, 9, 0.87, straw=0.65, traits=(0.05, 0.30, 0.45, -0.05)),  # oats
    190: Calendar(73, 17, 165, 9, 0.88, straw=0.70, traits=(0.10, 0.10, 0.05, 0.40)),  # mixed cereals
    120: Calendar(166, 9, 265, 11, 0.93, straw=0.35, traits=(0.30, -0.10, 0.20, -0.10)),  # maize
    140: Calendar(174, 10, 262, 12, 0.85, straw=0.40, traits=(-0.05, -0.20, -0.15, 0.45)),  # sorghum
    438: Calendar(158, 9, 238, 10, 0.86, straw=0.30, flower_day=196, flower=0.35, traits=(-0.20, 0.25, 0.25, 0.10)),
    435: Calendar(48, 18, 150, 9, 0.9, 0.1, straw=0.45, flower_day=104, flower=0.85, traits=(0.05, 0.35, 0.35, 0.30)),
    770: Calendar(92, 11, 160, 7, 0.85, straw=0.30, traits=(-0.30, 0.35, 0.50, 0.25)),  # peas
    750: Calendar(88, 11, 156, 8, 0.74, straw=0.28, traits=(-0.25, 0.15, 0.15, 0.35)),  # lentils
    730: Calendar(98, 11, 170, 9, 0.72, straw=0.28, traits=(-0.25, 0.05, 0.05, 0.25)),  # chick peas
    410: Calendar(170, 10, 252, 10, 0.90, straw=0.25, traits=(-0.15, 0.50, 0.40, 0.05)),  # soya
    510: Calendar(132, 9, 222, 10, 0.88, straw=0.10, traits=(0.10, 0.40, 0.60, 0.05)),  # potatoes
    234: Calendar(110, 12, 205, 11, 0.60, straw=0.05, traits=(0.0, -0.10, 0.30, 0.60)),  # onions
    231: Calendar(140, 12, 250, 14, 0.80, traits=(0.10, 0.10, 0.40, 0.0)),  # carrots
    330: Calendar(128, 12, 288, 13, 0.42, base=0.07, traits=(0.20, 0.05, -0.05, 0.10)),  # vines
    442: Calendar(100, 30, 330, 30, 0.40, base=0.36, traits=(0.10, -0.35, -0.50, 1.20)),  # olives
    361: Calendar(78, 12, 300, 16, 0.48, base=0.08, traits=(0.0, -0.05, -0.25, 0.30)),  # almonds
    356: Calendar(92, 12, 300, 14, 0.62, base=0.16, traits=(0.20, 0.05, 0.0, 0.10)),  # plums
    911: Calendar(70, 14, 318, 14, 0.84, base=0.26, traits=(0.10, 0.25, 0.30, 0.0)),  # temporary grass, lucerne
    912: Calendar(76, 18, 300, 24, 0.78, base=0.38, straw=0.15, traits=(-0.05, 0.0, 0.0, 0.10)),  # permanent grass
    975: Calendar(78, 22, 156, 20, 0.38, base=0.10, straw=0.25, traits=(-0.30, -0.10, -0.30, 0.30)),  # fallow
    981: Calendar(70, 16, 140, 7, 0.88, straw=0.30, traits=(-0.10, 0.30, 0.40, 0.15)),  # vetch and oats
    972: Calendar(108, 14, 302, 14, 0.90, base=0.52, straw=0.10, traits=(0.45, -0.15, -0.15, -0.10)),  # forest
    971: Calendar(90, 20, 290, 20, 0.12, base=0.08),  # built-up, its gardens
    974: Calendar(120, 20, 290, 20, 0.0, base=0.0),  # water
}  # fmt: skip
CALENDARS[191] = CALENDARS[190]
UNKNOWN_COVER = 912  # codes without a calendar look like permanent grass

REGION_DAYS = {"es_ct": 0.0, "fr": 13.0}  # the season's delay; France also harvests later in summer
REGION_SOIL = {"es_ct": 1.12, "fr": 0.90}  # dry calcareous soils against darker, moister ones
SUMMER_DAY = 120.0  # crops that emerge later feel half of the delay
SHIFT_BY_YEAR_DAYS = 5.0
SHIFT_BY_CROP_DAYS = 4.5


@dataclass(frozen=True)
class ParcelOffsets:
    """How fields differ from the mean of their crop; each array has one row per field.

    Attributes
    ----------
    shift_days : later than the crop's calendar.
    season : factor on the season's length.
    vigour : factor on green cover.
    soil : factor on soil reflectance.
    regrowth : green share after the season.
    traits : (n, 4), added to pigment, structure, moisture and wax.
    """

    shift_days: Floats
    season: Floats
    vigour: Floats
    soil: Floats
    regrowth: Floats
    traits: Floats


def parcel_offsets(parcel_id: ArrayLike, year: int, seed: int) -> ParcelOffsets:
    """Offsets of fields: soil is a place's own, the rest is new every year.

    Parameters
    ----------
    parcel_id : integers, shape (n,).
    """
    place = np.asarray(parcel_id, np.int64)
    regrowth = normals(seed, "regrowth", place, year)
    traits = [normals(seed, f"trait {name}", place, year) for name in ("pigment", "structure", "moisture", "wax")]
    return ParcelOffsets(
        shift_days=8.0 * normals(seed, "shift", place, year),
        season=np.exp(0.07 * normals(seed, "season", place, year)),
        vigour=np.exp(0.12 * normals(seed, "vigour", place, year)),
        soil=np.exp(0.13 * normals(seed, "soil", place)),
        regrowth=np.clip(0.10 * regrowth, 0.0, 0.45),
        traits=0.20 * np.stack(traits, -1),
    )


def no_offsets(count: int) -> ParcelOffsets:
    """Offsets of fields that are all like the mean of their crop."""
    one, zero = np.ones(count), np.zeros(count)
    return ParcelOffsets(zero, one, one, one, zero, np.zeros((count, 4)))


def crop_reflectance(
    day_of_year: float, year: int, country: str, class_codes: ArrayLike, offsets: ParcelOffsets | None = None
) -> NDArray[np.float32]:
    """Top-of-atmosphere reflectance of covers on a day under the clear standard atmosphere.

    Parameters
    ----------
    day_of_year : 1 to 366.
    country : a key of `REGION_DAYS`.
    class_codes : codes of the taxonomy, shape (n,); 971 built-up, 972 forest and 974 water among them; a code
        without a calendar looks like permanent grass.
    offsets : of each field; none means the crop's mean.

    Returns
    -------
    float32, shape (n, 13), unit 1, bands in the order of `S2_BANDS`. No noise, cloud or haze.

    Raises
    ------
    ConfigError : an unknown country.
    """
    if country not in REGION_DAYS:
        raise ConfigError(f'simulated country "{country}" has no calendar; there are {", ".join(sorted(REGION_DAYS))}')
    codes = np.asarray(class_codes, np.int64)
    own = no_offsets(len(codes)) if offsets is None else offsets
    known, index = np.unique(codes, return_inverse=True)
    covers = [_shifted(CALENDARS.get(int(code), CALENDARS[UNKNOWN_COVER]), int(code), year, country) for code in known]
    table = {name: np.array([getattr(cover, name) for cover in covers])[index] for name in Calendar.__annotations__}
    surface = _surface(day_of_year, table, codes, own, soil=REGION_SOIL[country])
    return (PATH + TRANSMITTANCE * surface).astype(np.float32)


def _shifted(cover: Calendar, code: int, year: int, country: str) -> Calendar:
    """The calendar in a region and year: the season's delay, the year's weather, the crop's own answer to both."""
    region = sum(ord(letter) * 31**place for place, letter in enumerate(country))
    half = 0.5 if cover.up > SUMMER_DAY else 1.0
    shared = REGION_DAYS[country] * half + SHIFT_BY_YEAR_DAYS * normals(WORLD_SEED, "year", year, region).item()
    start, end = (SHIFT_BY_CROP_DAYS * normals(WORLD_SEED, "crop", code, region, year, i).item() for i in (0, 1))
    habit = SHIFT_BY_CROP_DAYS * normals(WORLD_SEED, "habit", code, region).item()
    return Calendar(
        **{
            **cover.__dict__,
            "up": cover.up + shared + habit + 0.5 * start,
            "down": cover.down + shared + habit + 0.5 * end,
            "flower_day": cover.flower_day + shared + habit + 0.5 * start,
        }
    )


def _surface(
    day: float, cover: dict[str, Floats], codes: NDArray[np.int64], own: ParcelOffsets, *, soil: float
) -> Floats:
    """Surface reflectance (n, 13): soil, straw and canopy by their shares; water and roofs instead of soil."""
    green, after = _shares(day, cover, own)
    ground = SOIL * (soil * _wetness(day) * own.soil)[:, None]
    ground = np.where((codes == 971)[:, None], BUILT * own.soil[:, None], ground)
    ground = np.where((codes == 974)[:, None], WATER, ground)
    straw = (after * cover["straw"])[:, None]
    ground = (1 - straw) * ground + straw * STRAW
    traits = cover["traits"] + own.traits
    canopy = CANOPY * np.exp(traits @ TRAITS)
    petals = cover["flower"] * np.exp(-0.5 * ((day - cover["flower_day"] - own.shift_days) / 9.0) ** 2)
    canopy = canopy + petals[:, None] * FLOWER
    return np.asarray((1 - green[:, None]) * ground + green[:, None] * canopy)


def _shares(day: float, cover: dict[str, Floats], own: ParcelOffsets) -> tuple[Floats, Floats]:
    """Share of ground under green canopy, and how far the season is over (0 to 1)."""
    middle, half = (cover["up"] + cover["down"]) / 2, (cover["down"] - cover["up"]) / 2 * own.season
    time = day - own.shift_days - middle
    risen = _logistic((time + half) / (cover["up_days"] * 0.6))
    gone = _logistic((time - half) / (cover["down_days"] * 0.6))
    peak = np.clip(cover["cover"] * own.vigour, 0.0, 0.97)
    base = cover["base"] + own.regrowth * (cover["cover"] > 0)
    green = base + np.maximum(peak - base, 0.0) * risen * (1 - gone)
    return green, gone


def _wetness(day: float) -> float:
    """Soil is darker in the wet season: factor on its reflectance, least in January, greatest in July."""
    return float(1.0 - 0.14 * np.cos(2 * np.pi * (day - 15) / 365.25))


def _logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60.0, 60.0))))
