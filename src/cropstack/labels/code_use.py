"""How a declaration uses crop codes: parcels and area by code, names by code, sizes of parcels."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cropstack.labels.declarations import Declared

SLIPS = (1e4, 1e-4)  # hectares taken for square metres, and the other way round
AREA_TOLERANCE = 0.05  # ASSUME: as in harmonise_parcels
AREA_SLACK_M2 = 100.0
NAME_ONLY = "(name without code)"


@dataclass
class CodeUse:
    """What the parcels of one year say.

    Attributes
    ----------
    year : of the declaration. origin : its files, for messages.
    parcels, area_m2 : by declared code; empty where neither code nor name is declared, `NAME_ONLY` where a name is. The
        area is that of the geometry.
    names : for each code, parcels by declared name; empty where none is published.
    size_m2 : float32 area of every parcel that has a geometry.
    declared, mismatch, slip : parcels with a declared area, with one that the geometry contradicts, and off by 10 000.
    """

    year: int
    origin: str
    parcels: Counter[str] = field(default_factory=Counter)
    area_m2: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    names: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    sizes: list[np.ndarray] = field(default_factory=list)
    declared: int = 0
    mismatch: int = 0
    slip: int = 0

    def add(self, rows: Declared) -> None:
        """Count the parcels of a file or of a part of one."""
        area = rows.geometry.area_m2
        frame = pd.DataFrame({"code": rows.code, "name": rows.name, "area": np.nan_to_num(area)})
        frame.loc[(frame["code"] == "") & (frame["name"] != ""), "code"] = NAME_ONLY
        for code, group in frame.groupby("code", sort=True):
            self.parcels[str(code)] += len(group)
            self.area_m2[str(code)] += float(group["area"].sum())
            for name, count in group["name"].value_counts().items():
                if name:
                    self.names[str(code)][str(name)] += int(count)
        self.sizes.append(area[~np.isnan(area)].astype(np.float32))
        self._compare(rows.area_m2, area)

    def _compare(self, declared: np.ndarray, area: np.ndarray) -> None:
        both = ~np.isnan(declared) & (np.nan_to_num(area) > 0)
        said, area = declared[both], area[both]
        self.declared += int(both.sum())
        self.mismatch += int((np.abs(said - area) > np.maximum(AREA_TOLERANCE * area, AREA_SLACK_M2)).sum())
        ratio = said / area
        self.slip += int(sum((np.abs(ratio / factor - 1) < AREA_TOLERANCE).sum() for factor in SLIPS))

    @property
    def count(self) -> int:
        """Parcels."""
        return sum(self.parcels.values())

    @property
    def area(self) -> float:
        """Area of all parcels in m²."""
        return sum(self.area_m2.values())

    @property
    def size_m2(self) -> np.ndarray:
        """Areas of all parcels in m²."""
        return np.concatenate([np.zeros(0, np.float32), *self.sizes])

    def share(self, code: str) -> float:
        """Share of the area, 0 to 1."""
        return self.area_m2[code] / self.area if self.area else 0.0

    def name(self, code: str) -> str:
        """The name that most parcels of a code have; empty where none is published."""
        count = self.names.get(code)
        return min(count, key=lambda name: (-count[name], name)) if count else ""
