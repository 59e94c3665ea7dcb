"""COCO files, one annotation a line: written and read as they come, whatever their number."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Coco:
    """What a COCO file holds.

    `head` has info, licenses, images and categories; `annotations` their number by image id; `doubled` the ids of
    annotations that repeat an id, or the pixels of another of their image.
    """

    head: dict[str, Any]
    annotations: Counter[int]
    doubled: list[int]


def read_coco(path: Path) -> Coco:
    """Read what `write_coco` wrote: annotations stand image by image, with rising ids.

    Raises
    ------
    LayoutError : not such a file, or one that ends too early.
    """
    counts: Counter[int] = Counter()
    doubled: list[int] = []
    image, last, pixels = -1, -1, set[str]()
    with open(path, encoding="utf-8") as lines:
        try:
            first = next(lines).removesuffix("\n").removesuffix(CLOSING.strip())
            head = json.loads(first.removesuffix(OPENING) + "}")
            for line in lines:
                found = json.loads(line.removesuffix(CLOSING).removesuffix(",\n"))
                if found["image_id"] != image:
                    image, pixels = found["image_id"], set()
                shape = found["segmentation"]["counts"]
                if found["id"] <= last or shape in pixels:
                    doubled.append(found["id"])
                counts[image] += 1
                pixels.add(shape)
                last = found["id"]
        except (StopIteration, ValueError, KeyError) as error:
            raise LayoutError(f"{path}: not a COCO file of ours ({error}). Delete it and run again.") from error
    return Coco(head, counts, doubled)
