"""Many photos at once, in order, with few in memory: decoding frees the interpreter's lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST = 8


def thread_count(workers: int) -> int:
    """The number of threads that ``run.workers`` means: 0 is one a core, at most eight."""
    return workers if workers > 0 else min(_MOST, os.cpu_count() or 1)


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int = 16
) -> Iterator[Result]:
    """The results of a function in the order of its items, computed in threads.

    Args:
        function: Called once an item; its first exception ends the iteration.
        items: What it is called with.
        workers: As in ``run.workers``.
        ahead: How many results may wait to be taken.
    """
    pool = ThreadPoolExecutor(thread_count(workers), thread_name_prefix="photos")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
