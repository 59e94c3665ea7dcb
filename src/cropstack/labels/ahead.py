"""Batches read in a thread of their own, while the one before is worked on."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def ahead(items: Generator[T, None, None]) -> Iterator[Iterator[T]]:
    """Yield an iterator over `items` that makes one more than was taken; closes `items` at the end, whatever happened.

    All of `items` runs in one thread: what it opens there it also closes there. It has to release the lock of Python
    while it reads, as GDAL and Arrow do, to win time.
    """
    with ThreadPoolExecutor(1) as reader:
        try:
            yield _taken(reader, items)
        finally:
            reader.submit(items.close).result()


def _taken(reader: ThreadPoolExecutor, items: Generator[T, None, None]) -> Iterator[T]:
    end = object()
    coming = reader.submit(next, items, end)
    while (item := coming.result()) is not end:
        coming = reader.submit(next, items, end)
        yield item  # type: ignore[misc]
