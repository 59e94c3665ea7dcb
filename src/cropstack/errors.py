"""The errors that cropstack raises, and the ledger of what was rejected or repaired.

Every message says what, where, the value found, what was expected and what to do next. A step turns a
`CropstackError` into its message and exit status 1; anything else is a bug and keeps its traceback.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class CropstackError(Exception):
    """Base of all errors that a user can act on."""


class ConfigError(CropstackError):
    """An unknown key, a value out of range, or a contradiction in a configuration, recipe or table."""


class CatalogueError(CropstackError):
    """No product, no usable scene, or a catalogue answer that contradicts itself."""


class ProductError(CropstackError):
    """A product that cannot be read as what it claims to be."""


class CorruptFile(ProductError):
    """A truncated, unreadable or tampered file inside a product."""


class MissingBand(ProductError):
    """A band or mask that the metadata names and the product lacks."""


class GridMismatch(ProductError):
    """Pixels that do not lie on the grid that the metadata or the tile demands."""


class OffsetError(ProductError):
    """A radiometric offset that is missing or contradicts the processing baseline."""


class DeclarationError(CropstackError):
    """A parcel declaration that cannot be read: container, layer, column, CRS or content."""


class UnknownCropCode(DeclarationError):
    """More parcels with crop codes outside the taxonomy than the configuration tolerates."""


class SurveyError(CropstackError):
    """A LUCAS survey that cannot be read: file, header, or no usable point."""


class BackgroundError(CropstackError):
    """A land cover that cannot fill what lies outside parcels: file, CRS, column, codes or extent."""


class SampleError(CropstackError):
    """Scenes, labels and weights that do not belong together, or samples that they cannot give."""


class LayoutError(CropstackError):
    """An output that does not balance with its inputs."""


@dataclass(frozen=True, order=True)
class LedgerRow:
    """One unit (product, parcel, patch...) that a stage rejected or repaired.

    `action` is ``rejected``, ``repaired`` or ``filtered`` (rows that are no such unit, counted by value); `reason` is
    a short code of lower-case words joined by underscores; `evidence` is one line for a person: the value found and
    the one expected.
    """

    unit: str
    stage: str
    action: str
    reason: str
    evidence: str


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``'; did you mean "x"?'`` for the known word most like `word`, or an empty string."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
