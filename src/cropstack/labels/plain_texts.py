"""Texts of published tables as all that follows expects them."""

import pyarrow as pa
import pyarrow.compute as pc

from cropstack.files import BREAKS


def plain_texts(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts without surrounding spaces, empty where null; characters that would break lines are spaces.

    Raises
    ------
    pa.ArrowInvalid : bytes that are no UTF-8.
    """
    return pc.utf8_trim_whitespace(pc.fill_null(pc.replace_substring_regex(texts, BREAKS, " "), ""))
