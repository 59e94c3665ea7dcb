"""Items read in one thread and worked on in others, while what came before is used; results in their order."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def ahead(items: Generator[T, None, None], work: Callable[[T], R], *, threads: int) -> Iterator[Iterator[R]]:
    """Yield an iterator over `work` of each item; closes `items` at the end, whatever happened.

    All of `items` runs in one thread: what it opens there it also closes there. `work` runs in `threads` others; at
    most `threads` + 2 items are made before the first is taken. Both win time where they release the lock of Python, as
    GDAL, Arrow, GEOS and compiled kernels do.
    """
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(threads) as workers:
        try:
            yield _worked(reader, workers, items, work, at_once=threads + 1)
        finally:
            workers.shutdown(cancel_futures=True)
            reader.submit(items.close).result()


def _worked(
    reader: ThreadPoolExecutor,
    workers: ThreadPoolExecutor,
    items: Generator[T, None, None],
    work: Callable[[T], R],
    *,
    at_once: int,
) -> Iterator[R]:
    end = object()
    waiting: deque[Future[R]] = deque()
    coming = reader.submit(next, items, end)
    while (item := coming.result()) is not end:
        coming = reader.submit(next, items, end)
        waiting.append(workers.submit(work, item))  # type: ignore[arg-type]
        if len(waiting) == at_once:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
