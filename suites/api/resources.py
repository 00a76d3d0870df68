"""The cheap resources that properties of the API are tried on, and generated examples of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import ParamSpec

from hypothesis import HealthCheck, Phase, seed, settings

from provisioner.driver import Handle
from provisioner.resources import BucketSpec, ConfigSpec, KeySpec, Kind, Spec, Support, VolumeSpec
from suites.keys import make_public_key
from suites.seams import Bench, NotApplicable, Subject

P = ParamSpec("P")
CHEAP = (Kind.KEY, Kind.VOLUME, Kind.BUCKET, Kind.CONFIG)
LARGEST_GIB = 4
_numbers = count(1)


def cheap_kinds(subject: Subject, not_applicable: NotApplicable) -> list[Kind]:
    """The kinds that cost next to nothing; a volume of a metal site is a disk, and there are few.

    Ends the check where there is none.
    """
    kinds = [k for k in CHEAP if subject.description.kinds.get(k) is Support.MANAGED]
    if subject.kind == "metal" and Kind.VOLUME in kinds:
        kinds.remove(Kind.VOLUME)
    if not kinds:
        reasons = [subject.description.absent.get(str(kind), "not managed") for kind in CHEAP]
        not_applicable(f"no key, volume, bucket or config can be made: {'; '.join(reasons)}")
    return kinds


def spec_of(kind: Kind, number: int) -> Spec:
    """A specification, another one for each number."""
    if kind is Kind.KEY:
        return KeySpec(public_key=make_public_key(f"example {number}"))
    if kind is Kind.VOLUME:
        return VolumeSpec(size_gib=number % LARGEST_GIB + 1)
    if kind is Kind.CONFIG:
        return ConfigSpec(data={"example": str(number)})
    return BucketSpec()


@contextlib.contextmanager
def made(
    subject: Subject, bench: Bench, kind: Kind, label: str, number: int = 0
) -> Iterator[tuple[Handle, str]]:
    """One resource and its name; deleted at the end.

    Only asked to be deleted: the proof that it is gone takes the platform's whole window of
    visibility, and the bench waits for it once for all of them when the session ends.
    """
    name = f"{label}-{kind}-{next(_numbers)}"
    handle = bench.create(kind, name, spec_of(kind, number))
    try:
        yield handle, name
    finally:
        subject.driver.delete(handle)


@contextlib.contextmanager
def several(
    subject: Subject, bench: Bench, kind: Kind, label: str, number: int
) -> Iterator[list[Handle]]:
    """So many resources; deleted at the end."""
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        yield [enter(made(subject, bench, kind, label, n))[0] for n in range(number)]


def generated(number: int, examples: int) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Try a property with *examples* examples drawn from seed *number*; nothing is shrunk.

    A live platform is slow and changes under one's hands: no deadline, no database, no second
    tries. The seed is in the result, and the same seed draws the same examples.
    """

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        bounded = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        return seed(number)(bounded(test))

    return decorate
