"""Items worked on ahead: results in the order of the items, which are made in one thread that is left clean."""

import threading
import time
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
            for number in range(6):
                self.threads.add(threading.get_ident())
                if number == self.fault:
                    raise OSError("cut")
                self.made.append(number)
                yield number
        finally:
            self.threads.add(threading.get_ident())
            self.closed = True


def squared(number: int) -> int:
    """The first takes longest."""
    time.sleep((5 - number) / 500)
    return number**2


@pytest.mark.parametrize("threads", [1, 2, 4, 10])
def test_results_come_in_order_of_items_made_in_one_other_thread(threads: int) -> None:
    source = Source()
    with ahead(source.numbers(), squared, threads=threads) as coming:
        assert list(coming) == [0, 1, 4, 9, 16, 25]
    assert len(source.threads) == 1
    assert threading.get_ident() not in source.threads
    assert source.closed


def test_work_goes_on_in_as_many_threads_as_asked_for() -> None:
    meet = threading.Barrier(3, timeout=20)  # passes only three at a time
    with ahead(Source().numbers(), lambda number: (meet.wait(), number)[1], threads=3) as coming:
        assert list(coming) == [0, 1, 2, 3, 4, 5]


def take(source: Source, taken: list[int], *, most: int, broken: int | None = None) -> None:
    """Take numbers; fail with more than `most`, or in the work on `broken`."""

    def work(number: int) -> int:
        if number == broken:
            raise ZeroDivisionError(number)
        return number

    with ahead(source.numbers(), work, threads=1) as coming:
        for number in coming:
            taken.append(number)
            if len(taken) > most:
                raise ValueError("no more")


def test_an_error_of_the_source_reaches_the_taker() -> None:
    source = Source(fault=2)
    with pytest.raises(OSError, match="cut"):
        take(source, [], most=5)
    assert source.closed


def test_an_error_of_the_work_stands_in_the_place_of_its_result() -> None:
    source, taken = Source(), []
    with pytest.raises(ZeroDivisionError, match="3"):
        take(source, taken, most=5, broken=3)
    assert taken == [0, 1, 2]
    assert source.closed


def test_a_taker_that_fails_leaves_the_source_closed_and_not_read_to_its_end() -> None:
    source, taken = Source(), []
    with pytest.raises(ValueError, match="no more"):
        take(source, taken, most=0)
    assert source.closed
    assert len(source.made) <= 3  # taken, worked on, read
    assert len(source.threads) == 1
