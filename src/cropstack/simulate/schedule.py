"""Which acquisitions a tile has in a simulated year, and as which products, with which faults, they were delivered.

Overpasses follow the real ten-day cycles of Sentinel-2A and -2B on relative orbits 51 and 8.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from cropstack.errors import ConfigError
from cropstack.simulate.noise import uniforms

YEARS = (2016, 2024)  # Sentinel-2A alone until July 2017; Sentinel-2C took over in January 2025
S2B_FROM = date(2017, 7, 1)
CYCLE_DAYS = 10
CYCLE_ORBITS = 143

# SOURCE: data of one real pass each: S2A_MSIL1C_20180101T105441 (R051, A013204); S2B_MSIL1C_20230823T095559 (R122,
# A033753), which is 2055 days and 29,386 orbits after the pass of R051 below.
FIRST_PASS = {"S2A": (date(2018, 1, 1), 13204), "S2B": (date(2018, 1, 6), 4367)}
MAIN_ORBIT, EDGE_ORBIT = 51, 8
EDGE_DAYS, EDGE_ORBITS = -3, -43  # of orbit 8, from the same satellite's pass on orbit 51
DATATAKE_START = {MAIN_ORBIT: time(10, 50, 31, 24_000), EDGE_ORBIT: time(10, 40, 21, 24_000)}
MAIN_EAST_M = 70_000.0  # ASSUME: the tile lies this far east of orbit 51's ground track, wholly in the swath
EDGE_EAST_M = -145_000.0  # its middle lies on the western edge of orbit 8's swath

# SOURCE: processing baselines of Level-1C at the Copernicus Data Space by sensing date (its documentation).
BASELINES = (
    (date(2016, 1, 1), "02.04"),
    (date(2017, 5, 23), "02.05"),
    (date(2017, 10, 24), "02.06"),
    (date(2018, 11, 6), "02.07"),
    (date(2019, 7, 8), "02.08"),
    (date(2020, 2, 4), "02.09"),
    (date(2021, 3, 30), "03.00"),
    (date(2021, 6, 30), "03.01"),
    (date(2022, 1, 25), "04.00"),
    (date(2022, 12, 6), "05.09"),
    (date(2023, 12, 13), "05.10"),
    (date(2024, 7, 23), "05.11"),
)
COLLECTION_1 = ((date(2016, 1, 1), "05.00"), (date(2022, 1, 1), "05.10"))  # what reprocessing makes, by sensing date
REPROCESSED_GAIN = 1.025  # reprocessing calibrates anew
LATER_PART_GAIN = 1.01  # so does the second station of a split datatake
STATIONS = ("SGS_", "EPAE", "MPS_", "MTI_")
REPROCESSING_STATION = "S2RP"
CLEAR_CLOUD = (0.0, 0.055)  # share of pixels; the recipe takes acquisitions below 0.1
EDGE_CLOUD = 0.03  # clouds may all lie in the half with data
HEAVY_CLOUD = (0.18, 0.55)
CLOUDY_ACQUISITIONS = 3
DAYS_OF_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class Delivery:
    """One product of an acquisition.

    Attributes
    ----------
    generated : UTC.
    datastrip_after : between the start of the datatake and of the datastrip.
    gain : on reflectance.
    part : ``whole``, or ``first`` or ``second`` of a split datatake, which overlap by a little.
    faults : pixels gone wrong: any of ``saturated``, ``degraded``, ``dark``.
    """

    processing_baseline: str
    generated: datetime
    station: str
    datastrip_after: timedelta = timedelta(seconds=4)
    gain: float = 1.0
    part: str = "whole"
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Acquisition:
    """One overpass and its products, the ones to prefer last.

    Attributes
    ----------
    kind : ``plain``, ``reprocessed``, ``split``, ``edge``, ``cloudy`` or ``reprocessed_only``.
    datatake : start, UTC.
    east_m : where the tile's middle lies from the ground track.
    cloud : share of the tile under clouds.
    """

    kind: str
    platform: str
    datatake: datetime
    relative_orbit: int
    absolute_orbit: int
    east_m: float
    cloud: float
    deliveries: tuple[Delivery, ...]

    @property
    def sensing(self) -> datetime:
        """When the tile was seen."""
        return self.datatake + timedelta(minutes=5, seconds=12, microseconds=345_678)


def plain_acquisitions(year: int, count: int, *, seed: int) -> list[Acquisition]:
    """Overpasses of orbit 51 spread over a year, few clouds, delivered as they were at the time; in order of time.

    Raises
    ------
    ConfigError : a year without Sentinel-2A and -2B, or more acquisitions than there are overpasses.
    """
    if not YEARS[0] <= year <= YEARS[1]:
        raise ConfigError(f"simulated year {year}; Sentinel-2A and -2B can be simulated from {YEARS[0]} to {YEARS[1]}")
    months = [index * 12 // count for index in range(count)]
    return [
        acquisition
        for month in sorted(set(months))
        for acquisition in _of_month(year, month + 1, months.count(month), seed)
    ]


def acquisitions_of(year: int, count: int, *, seed: int) -> list[Acquisition]:
    """The acquisitions of a tile's year, with all that makes real archives awkward; in order of time.

    The special ones come first: with four acquisitions, one was reprocessed, one split, one lies on the swath's edge
    and one is cloudy; with more, the rest are plain. Saturated, degraded and dark pixels ride on them.

    Raises
    ------
    ConfigError : as `plain_acquisitions`.
    """
    plain = plain_acquisitions(year, count, seed=seed)
    rest = list(range(count))
    special: dict[int, Acquisition] = {}
    for kind, make, day in _SPECIAL:
        if rest:
            ranks = [(_unwanted(kind, index, rest, plain), _days_from(plain[index], day), index) for index in rest]
            chosen = min(ranks)[-1]
            rest.remove(chosen)
            special[chosen] = make(plain[chosen], seed)
    return sorted((special.get(i, plain[i]) for i in range(count)), key=lambda one: one.datatake)


def _unwanted(kind: str, index: int, rest: Sequence[int], plain: Sequence[Acquisition]) -> bool:
    """Cloudy acquisitions go where a month has another one left, so that few months are lost."""
    month = plain[index].datatake.month
    alone = sum(plain[other].datatake.month == month for other in rest) == 1
    return kind == "cloudy" and alone


def _days_from(acquisition: Acquisition, day: tuple[int, int]) -> int:
    return abs((acquisition.datatake.date() - date(acquisition.datatake.year, *day)).days)


# --- overpasses ---------------------------------------------------------------------------------------


def _of_month(year: int, month: int, count: int, seed: int) -> list[Acquisition]:
    passes = [(day, platform) for platform in FIRST_PASS for day in _passes(platform, year, month)]
    passes.sort()
    if count > len(passes):
        raise ConfigError(
            f"{count} simulated acquisitions in {year}-{month:02d}; orbit {MAIN_ORBIT} has {len(passes)} overpasses "
            "then. Lower simulation: acquisitions in the configuration"
        )
    chosen = [passes[int((index + 0.5) * len(passes) / count)] for index in range(count)]
    return [_plain(platform, day, seed) for day, platform in chosen]


def _passes(platform: str, year: int, month: int) -> list[date]:
    first, _ = FIRST_PASS[platform]
    last = DAYS_OF_MONTH[month - 1] + (month == 2 and year % 4 == 0)
    days = (date(year, month, day) for day in range(1, last + 1))
    return [d for d in days if (d - first).days % CYCLE_DAYS == 0 and (platform != "S2B" or d >= S2B_FROM)]


def _plain(platform: str, day: date, seed: int) -> Acquisition:
    first, orbit = FIRST_PASS[platform]
    datatake = datetime.combine(day, DATATAKE_START[MAIN_ORBIT], tzinfo=UTC)
    return Acquisition(
        kind="plain",
        platform=platform,
        datatake=datatake,
        relative_orbit=MAIN_ORBIT,
        absolute_orbit=orbit + (day - first).days // CYCLE_DAYS * CYCLE_ORBITS,
        east_m=MAIN_EAST_M,
        cloud=_between(CLEAR_CLOUD, _draw(seed, "cloud", day)),
        deliveries=(_original(datatake, seed),),
    )


def _original(datatake: datetime, seed: int) -> Delivery:
    """What the agency delivered a few hours after the overpass."""
    day = datatake.date()
    seconds = int(_between((7_000.0, 16_000.0), _draw(seed, "generated", day)))
    return Delivery(
        processing_baseline=_in_force(BASELINES, day),
        generated=datatake.replace(microsecond=0) + timedelta(seconds=seconds),
        station=STATIONS[int(_draw(seed, "station", day) * len(STATIONS))],
    )


def _in_force(table: tuple[tuple[date, str], ...], day: date) -> str:
    return next(baseline for start, baseline in reversed(table) if start <= day)


def _draw(seed: int, stream: str, day: date) -> float:
    return uniforms(seed, f"schedule {stream}", day.toordinal()).item()


def _between(limits: tuple[float, float], share: float) -> float:
    return limits[0] + (limits[1] - limits[0]) * share


# --- what is special ----------------------------------------------------------------------------------


def _changed(plain: Acquisition, kind: str, **changes: object) -> Acquisition:
    return Acquisition(**{**plain.__dict__, "kind": kind, **changes})


def _reprocessed_copy(acquisition: Acquisition, seed: int) -> Delivery:
    day = acquisition.datatake.date()
    made = datetime(max(2023, day.year + 1), 5, 17, tzinfo=UTC)
    return Delivery(
        processing_baseline=_in_force(COLLECTION_1, day),
        generated=made + timedelta(seconds=int(_draw(seed, "reprocessed", day) * 20 * 86_400)),
        station=REPROCESSING_STATION,
        gain=REPROCESSED_GAIN,
        faults=("saturated", "degraded", "dark"),
    )


def _reprocessed(plain: Acquisition, seed: int) -> Acquisition:
    """The original and its reprocessed copy; where the original is as new as that, it stays alone."""
    copy = _reprocessed_copy(plain, seed)
    if copy.processing_baseline <= plain.deliveries[0].processing_baseline:
        return plain
    return _changed(plain, "reprocessed", deliveries=(*plain.deliveries, copy))


def _reprocessed_only(plain: Acquisition, seed: int) -> Acquisition:
    """The archive has dropped the original."""
    copy = _reprocessed_copy(plain, seed)
    if copy.processing_baseline <= plain.deliveries[0].processing_baseline:
        return plain
    return _changed(plain, "reprocessed_only", deliveries=(copy,))


def _split(plain: Acquisition, seed: int) -> Acquisition:
    """Two stations received a part each; the southern one delivered later."""
    first = plain.deliveries[0]
    station = STATIONS[(STATIONS.index(first.station) + 1) % len(STATIONS)]
    north = Delivery(**{**first.__dict__, "part": "first", "faults": ("saturated", "degraded")})
    south = Delivery(
        processing_baseline=first.processing_baseline,
        generated=first.generated + timedelta(minutes=47),
        station=station,
        datastrip_after=timedelta(minutes=4, seconds=58),
        gain=LATER_PART_GAIN,
        part="second",
    )
    return _changed(plain, "split", deliveries=(north, south))


def _edge(plain: Acquisition, seed: int) -> Acquisition:
    """An overpass of orbit 8, whose swath ends inside the tile."""
    days = EDGE_DAYS
    if (plain.datatake + timedelta(days=days)).month != plain.datatake.month:
        days += CYCLE_DAYS
    day = plain.datatake.date() + timedelta(days=days)
    datatake = datetime.combine(day, DATATAKE_START[EDGE_ORBIT], tzinfo=UTC)
    orbits = EDGE_ORBITS + (CYCLE_ORBITS if days > 0 else 0)
    return _changed(
        plain,
        "edge",
        datatake=datatake,
        relative_orbit=EDGE_ORBIT,
        absolute_orbit=plain.absolute_orbit + orbits,
        east_m=EDGE_EAST_M,
        cloud=min(plain.cloud, EDGE_CLOUD),
        deliveries=(_original(datatake, seed),),
    )


def _cloudy(plain: Acquisition, seed: int) -> Acquisition:
    return _changed(plain, "cloudy", cloud=_between(HEAVY_CLOUD, _draw(seed, "heavy cloud", plain.datatake.date())))


Make = Callable[[Acquisition, int], Acquisition]
# Kind, how it is made, and the day of the year (month, day) near which it lies; in order of priority.
_SPECIAL: tuple[tuple[str, Make, tuple[int, int]], ...] = (
    ("reprocessed", _reprocessed, (6, 15)),
    ("split", _split, (4, 15)),
    ("edge", _edge, (10, 15)),
    *[("cloudy", _cloudy, (12, 31))] * CLOUDY_ACQUISITIONS,
    ("reprocessed_only", _reprocessed_only, (8, 15)),
)
