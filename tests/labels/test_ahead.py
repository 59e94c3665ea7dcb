"""Batches read ahead: the same batches in order, in one thread that is left clean."""

import threading
from collections.abc import Generator

import pytest

from cropstack.labels.ahead import ahead


class Source:
    """Numbers, and what happened while they were made: threads, how far they got, whether they were closed."""

    def __init__(self, fault: int | None = None) -> None:
        self.threads: set[int] = set()
        self.made: list[int] = []
        self.closed = False
        self.fault = fault

    def numbers(self) -> Generator[int, None, None]:
        try:
            for number in range(5):
                self.threads.add(threading.get_ident())
                if number == self.fault:
                    raise OSError("cut")
                self.made.append(number)
                yield number
        finally:
            self.threads.add(threading.get_ident())
            self.closed = True


def test_items_come_in_order_from_one_other_thread() -> None:
    source = Source()
    with ahead(source.numbers()) as coming:
        assert list(coming) == [0, 1, 2, 3, 4]
    assert len(source.threads) == 1
    assert threading.get_ident() not in source.threads


def take(source: Source, taken: list[int], *, most: int) -> None:
    """Take numbers; fail with more than `most`."""
    with ahead(source.numbers()) as coming:
        for number in coming:
            taken.append(number)
            if len(taken) > most:
                raise ValueError("no more")


def test_an_error_of_the_source_reaches_the_reader_after_what_came_before() -> None:
    source, taken = Source(fault=2), []
    with pytest.raises(OSError, match="cut"):
        take(source, taken, most=5)
    assert taken == [0, 1]
    assert source.closed


def test_a_reader_that_fails_leaves_the_source_closed() -> None:
    source, taken = Source(), []
    with pytest.raises(ValueError, match="no more"):
        take(source, taken, most=0)
    assert source.closed
    assert source.made in ([0], [0, 1])  # one more than was taken at most
    assert len(source.threads) == 1
