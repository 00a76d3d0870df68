"""Compute: what is done with one server, which states it goes through, and what is kept of it.

Source: OpenStack Compute API (servers, run an action; servers actions) and API guide (server
concepts).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from provisioner.driver import Handle
from suites.claims import claim, same
from suites.openstack.wire import Answer, Wire
from suites.seams import NotApplicable, Observe, Patience, Subject
from suites.waits import until

TASK = "OS-EXT-STS:task_state"
GONE = "00000000-0000-4000-8000-0000000000ff"
EVERY_S = 0.05
LINES = 1_000_000
# what is asked for, the patience for it, and the statuses there may be, in this order
TURNS: tuple[tuple[Mapping[str, Any], str, tuple[str, ...]], ...] = (
    ({"os-stop": None}, "stop", ("ACTIVE", "SHUTOFF")),
    ({"os-start": None}, "boot", ("SHUTOFF", "ACTIVE")),
    ({"reboot": {"type": "SOFT"}}, "reboot", ("ACTIVE", "REBOOT", "ACTIVE")),
    ({"reboot": {"type": "HARD"}}, "reboot", ("ACTIVE", "HARD_REBOOT", "ACTIVE")),
)


def act(wire: Wire, server: Handle, action: Mapping[str, Any]) -> Answer:
    """Ask for an action."""
    return wire(f"compute POST /servers/{server.id}/action", body=dict(action))


def shown(wire: Wire, server: Handle) -> dict[str, Any]:
    """The server as it is told."""
    found: dict[str, Any] = wire.given(200, "server", f"compute GET /servers/{server.id}")["server"]
    return found


def settled(wire: Wire, server: Handle, seconds: float) -> list[str]:
    """The statuses that are told until nothing is being done any more, each once in a row."""
    seen: list[str] = []
    end = time.monotonic() + seconds
    while True:
        now = shown(wire, server)
        if seen[-1:] != [now["status"]]:
            seen.append(now["status"])
        if now.get(TASK) is None or time.monotonic() > end:
            return seen
        time.sleep(EVERY_S)


def in_order(seen: list[str], allowed: tuple[str, ...]) -> bool:
    """Whether *seen* is *allowed* with nothing but the end necessary."""
    rest = iter(allowed)
    return seen[-1] == allowed[-1] and all(status in rest for status in seen)


@pytest.mark.check("os-compute-07", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_states_come_in_order(
    wire: Wire, server: Handle, patience: Patience, observe: Observe
) -> None:
    """Stopped, started and rebooted, a server goes through the states of that and comes to rest."""
    for action, wait, allowed in TURNS:
        what = " ".join((*action, *(str(v["type"]) for v in action.values() if v)))
        same(what, expected=202, actual=act(wire, server, action).status)
        begun = time.monotonic()
        seen = settled(wire, server, patience(wait))
        observe(f"{what} takes", round(time.monotonic() - begun, 1), unit="s", source="api")
        claim(in_order(seen, allowed), f"states of {what}", expected=allowed, actual=seen)


@pytest.mark.check("os-compute-08", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_what_does_not_fit_the_state_is_refused(
    wire: Wire, server: Handle, patience: Patience
) -> None:
    """An action is refused with 409 in a state it does not fit, with 400 if there is none such."""
    operation = f"compute POST /servers/{server.id}/action"
    for action in ("os-start", "confirmResize", "revertResize"):
        wire.refused(409, f"{action} of a running server", operation, body={action: None})
    for wrong in ({"reboot": {"type": "warm"}}, {"interop-no-such-action": None}, {}):
        wire.refused(400, f"the action {wrong}", operation, body=wrong)
    same("stop", expected=202, actual=act(wire, server, {"os-stop": None}).status)
    settled(wire, server, patience("stop"))
    try:
        for action in ("os-stop", "pause"):
            wire.refused(409, f"{action} of a stopped server", operation, body={action: None})
    finally:
        act(wire, server, {"os-start": None})
        settled(wire, server, patience("boot"))


@pytest.mark.check("os-compute-09", needs=("openstack-api", "resize"))
@pytest.mark.cost("own")
def test_a_resize_is_confirmed_or_undone(
    wire: Wire, server: Handle, patience: Patience, not_applicable: NotApplicable
) -> None:
    """A resize that is reverted leaves the old size, one that is confirmed the new one."""
    detail = wire.given(200, "flavors", "compute GET /flavors/detail", microversion="2.61")
    flavors = {flavor["id"]: flavor for flavor in detail["flavors"]}
    old = shown(wire, server)["flavor"]["id"]
    # flavors of other extra specs may be of hosts that this server cannot move to
    larger = sorted(
        (flavor["ram"], flavor["vcpus"], name)
        for name, flavor in flavors.items()
        if name != old
        and flavor.get("extra_specs") == flavors[old].get("extra_specs")
        and all(flavor[key] >= flavors[old][key] for key in ("ram", "vcpus", "disk"))
    )
    if not larger:
        not_applicable("there is no larger flavor of the same extra specs")
    operation = f"compute POST /servers/{server.id}/action"
    for what, wrong in (("none such", "interop-no-such-size"), ("its own", old)):
        body = {"resize": {"flavorRef": wrong}}
        wire.refused((400, 404), f"a resize to {what}", operation, body=body)
    new = larger[0][-1]
    for answer, left in (("revertResize", old), ("confirmResize", new)):
        asked = act(wire, server, {"resize": {"flavorRef": new}})
        same("resize", expected=202, actual=asked.status)
        seen = settled(wire, server, patience("reboot"))
        same("status before it is answered", expected="VERIFY_RESIZE", actual=seen[-1])
        status = act(wire, server, {answer: None}).status
        claim(status in (202, 204), answer, expected="202 or 204", actual=status)
        after = until(
            lambda: shown(wire, server),
            lambda now: now["status"] in ("ACTIVE", "ERROR") and now.get(TASK) is None,
            patience("reboot"),
        )
        same(f"status after {answer}", expected="ACTIVE", actual=after["status"])
        same(f"size after {answer}", expected=left, actual=after["flavor"]["id"])


@pytest.mark.check("os-compute-10", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_a_rebuilt_server_is_the_same_one(
    wire: Wire, server: Handle, patience: Patience, subject: Subject
) -> None:
    """A server that is rebuilt keeps its id, its addresses and its metadata unless told others."""
    operation = f"compute POST /servers/{server.id}/action"
    bad = {"rebuild": {"imageRef": GONE}}
    wire.refused(400, "a rebuild from an image that is none", operation, body=bad)
    before = shown(wire, server)
    image = before["image"]["id"] if before["image"] else subject.description.images[0].id
    answer = act(wire, server, {"rebuild": {"imageRef": image}})
    same("rebuild", expected=202, actual=answer.status)
    seen = settled(wire, server, patience("boot"))
    same("status at rest", expected="ACTIVE", actual=seen[-1])
    after = shown(wire, server)
    for key in ("id", "addresses", "metadata", "created"):
        same(f"its {key}", expected=before[key], actual=after[key])


@pytest.mark.check("os-compute-14", needs=("openstack-api", "console"))
@pytest.mark.cost("own")
def test_a_console_log_has_a_length(wire: Wire, server: Handle) -> None:
    """The console's log comes to as many lines as asked for, and a length that is none does not."""
    operation = f"compute POST /servers/{server.id}/action"

    def lines(**length: object) -> int:
        body = {"os-getConsoleOutput": length}
        text = wire.given(200, f"console log of {length or 'any length'}", operation, body=body)
        return len(str(text["output"]).split("\n"))

    whole = lines()
    for length in (1, 5, LINES):
        most = min(length, whole + 50) + 1  # it may end in the middle of a line, and goes on
        claim(lines(length=length) <= most, "lines", expected=f"at most {most}", actual=length)
    for wrong in (-2, "many", 1.5):
        body = {"os-getConsoleOutput": {"length": wrong}}
        wire.refused(400, f"a console log of {wrong} lines", operation, body=body)


@pytest.mark.check("os-compute-15", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_the_record_has_our_request(wire: Wire, server: Handle, patience: Patience) -> None:
    """What was done with a server is told afterwards under the request id of who asked for it."""
    asked = act(wire, server, {"reboot": {"type": "HARD"}})
    same("reboot", expected=202, actual=asked.status)
    request = asked.headers.get("x-openstack-request-id", "")
    claim(request.startswith("req-"), "request id", expected="req-...", actual=request)
    settled(wire, server, patience("reboot"))
    path = f"compute GET /servers/{server.id}/os-instance-actions"
    told = wire.given(200, "what was done", path)["instanceActions"]
    ours = [entry for entry in told if entry["request_id"] == request]
    same("entries of our request", expected=["reboot"], actual=[one["action"] for one in ours])
    entry = wire.given(200, "the entry", f"{path}/{request}")["instanceAction"]
    same("the entry's server", expected=server.id, actual=entry["instance_uuid"])
