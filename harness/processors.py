"""Work in many like parts, done by all processors."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

J = TypeVar("J")
R = TypeVar("R")

MANY = 64  # parts from which on it pays to start processes
YOUNG = 200_000  # objects made since the last look for garbage; Python's own 700 cost a third
THREADED = "vl_convert"  # has threads of its own once loaded, which do not survive a fork


def by_all_processors(work: Callable[[J], R], parts: Iterable[J]) -> Iterator[R]:
    """What *work* makes of each of *parts*, in their order; what it makes must be picklable.

    Processes are forked, because what *work* holds (read-only mappings, closures) cannot be sent
    to one. A few parts, or parts after a chart was drawn in this process, are done here.
    """
    jobs = list(parts)
    processors = len(os.sched_getaffinity(0))
    if len(jobs) < MANY or processors < 2 or THREADED in sys.modules:
        yield from map(work, jobs)
        return
    context = get_context("fork")
    with ProcessPoolExecutor(processors, context, _start, (work,)) as pool:
        yield from pool.map(_job, jobs, chunksize=4)


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for garbage in cycles seldom meanwhile: documents have none, and are large."""
    before = gc.get_threshold()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


_WORK: list[Callable[[Any], Any]] = []  # of a worker process


def _start(work: Callable[[Any], Any]) -> None:
    """Begin a worker; what it was forked with is no garbage and need not be looked at again."""
    gc.freeze()
    _WORK.append(work)


def _job(part: object) -> Any:
    return _WORK[-1](part)
