"""COCO files, one annotation a line: written and read as they come, whatever their number."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cropstack.errors import LayoutError
from cropstack.files import replace_on_success

OPENING = ', "annotations": ['
CLOSING = "]}\n"


def write_coco(path: Path, head: dict[str, Any], annotations: Iterable[dict[str, Any]], *, first_id: int) -> int:
    """Write `head` (info, licenses, images, categories) and `annotations`, which get ids from `first_id`.

    Returns the next free annotation id.
    """
    number = first_id
    with replace_on_success(path) as temporary, open(temporary, "w", encoding="utf-8") as out:
        out.write(json.dumps(head, ensure_ascii=False)[:-1] + OPENING)
        for annotation in annotations:
            separator = "\n" if number == first_id else ",\n"
            out.write(separator + json.dumps({"id": number, **annotation}))
            number += 1
        out.write(CLOSING)
    return number


def read_coco(path: Path) -> tuple[dict[str, Any], Counter[int]]:
    """Read what `write_coco` wrote: the head, and the number of annotations by image id.

    Raises
    ------
    LayoutError : not such a file, or one that ends too early.
    """
    with open(path, encoding="utf-8") as lines:
        try:
            first = next(lines).removesuffix("\n").removesuffix(CLOSING.strip())
            head = json.loads(first.removesuffix(OPENING) + "}")
            rows = (line.removesuffix(CLOSING).removesuffix(",\n") for line in lines)
            return head, Counter(json.loads(row)["image_id"] for row in rows)
        except (StopIteration, ValueError, KeyError) as error:
            raise LayoutError(f"{path}: not a COCO file of ours ({error}). Delete it and run again.") from error
