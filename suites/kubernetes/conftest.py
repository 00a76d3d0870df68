"""What the checks of Kubernetes share: the way to the API, pods to make, and who owns it all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.errors import PlatformFault
from provisioner.features import RawCall
from provisioner.resources import ConfigSpec, Kind
from suites.kubernetes import nodes
from suites.kubernetes.cron import Cron
from suites.kubernetes.pods import Pods
from suites.kubernetes.wire import CORE, LOOK_S, MAPS, Anchor, Wire
from suites.seams import Bench, Evidence, NotApplicable, Patience, Subject
from suites.waits import until


@pytest.fixture(scope="session")
def anchor(bench: Bench, subject: Subject, patience: Patience) -> Iterator[Anchor]:
    """The config map that owns what these checks make; it is in the run's ledger.

    Raises:
        PlatformFault: a pod of a check is still there when patience for deletion is over.
    """
    handle = bench.create(Kind.CONFIG, "kubernetes-suite", ConfigSpec())
    raw = subject.driver.feature(RawCall, handle)  # type: ignore[type-abstract]
    there = raw.call(f"GET {MAPS}/{handle.id}", {})["body"]
    made = Anchor(name=handle.id, uid=there["metadata"]["uid"])
    yield made

    def left() -> list[str]:
        found = raw.call(f"GET {CORE}/pods", {})["body"]["items"]
        names = [str(one["metadata"]["name"]) for one in found]
        return [name for name in names if name.startswith(tuple(made.groups))]

    stays = until(left, lambda names: not names, min(LOOK_S, patience("delete")))
    if stays and nodes.lost(subject):  # nobody there can say that they have ended
        for name in stays:
            raw.call(f"DELETE {CORE}/pods/{name}", {"body": {"gracePeriodSeconds": 0}})
    stays = stays and until(left, lambda names: not names, patience("delete"))
    if stays:
        raise PlatformFault(f"still there: {', '.join(stays)}", subject.name)


@pytest.fixture
def wire(
    request: pytest.FixtureRequest, subject: Subject, evidence: Evidence, anchor: Anchor
) -> Iterator[Wire]:
    """The API for the check that runs now."""
    mark = request.node.get_closest_marker("check")
    made = Wire(subject, evidence, str(mark.args[0]), anchor)
    try:
        yield made
    finally:
        made.clear()


def _pods(wire: Wire, subject: Subject, patience: Patience) -> Pods:
    settings = subject.config.settings
    return Pods(
        wire,
        image=subject.description.images[0].id,
        selector=settings.get("node_selector") or {},
        tolerate=tuple(settings.get("tolerate") or ()),
        seconds=patience("boot"),
    )


@pytest.fixture(scope="session")
def cron(subject: Subject, anchor: Anchor, patience: Patience) -> Iterator[Cron]:
    """The cron job; it works while other checks do."""
    wire = Wire(subject, lambda title, text: None, "k8s-load-06", anchor)
    try:
        yield Cron(_pods(wire, subject, patience))
    finally:
        wire.clear()


@pytest.fixture
def pods(
    request: pytest.FixtureRequest,
    wire: Wire,
    subject: Subject,
    patience: Patience,
    not_applicable: NotApplicable,
) -> Pods:
    """Makes pods of the platform's declared image, and waits for them."""
    if not subject.description.images:
        not_applicable("no image is declared for pods")
    if any("cron" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("cron")
    return _pods(wire, subject, patience)
