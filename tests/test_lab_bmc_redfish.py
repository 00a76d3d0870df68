"""Redfish of the lab's controllers, as sushy, pyghmi and a bare HTTPS client see it."""

from __future__ import annotations

import json
import logging
import ssl
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sushy
from pyghmi.redfish.command import Command

from provisioner.lab.bmc.serve import Endpoints, Rack
from provisioner.lab.memory import MemoryMachine

HOST = "127.0.77.203"
USERS = (("admin", "s3cret", 4), ("oper", "0per", 3), ("ro", "readonly", 2))
SYSTEM = "/redfish/v1/Systems/1"
Serve = Callable[..., tuple[MemoryMachine, Endpoints]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a controller with Redfish for a machine in memory."""
    with Rack() as rack:

        def start(**options: Any) -> tuple[MemoryMachine, Endpoints]:
            machine = MemoryMachine()
            return machine, rack.serve(machine, HOST, 0, USERS, redfish_port=0, **options)

        yield start


def ask(
    where: Endpoints, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """One HTTPS request: status, headers in lower case, document."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(
        f"https://{where.host}:{where.redfish_port}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={k.replace("_", "-"): v for k, v in headers.items()},
    )
    try:
        answer = urllib.request.urlopen(request, context=context, timeout=10)  # noqa: S310
    except urllib.error.HTTPError as refused:
        answer = refused
    with answer:
        raw = answer.read()
        found = {k.lower(): v for k, v in answer.headers.items()}
        return int(answer.status), found, json.loads(raw) if raw else None


def token(where: Endpoints, name: str = "admin", password: str = USERS[0][1]) -> str:
    """Log in."""
    path = "/redfish/v1/SessionService/Sessions"
    status, headers, _ = ask(where, "POST", path, {"UserName": name, "Password": password})
    assert status == 201
    return headers["x-auth-token"]


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for what happens in the controller's own thread."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def test_versions_root_and_odata_need_no_login_and_the_rest_does(serve: Serve) -> None:
    _, where = serve()

    assert ask(where, "GET", "/redfish")[2] == {"v1": "/redfish/v1/"}
    status, headers, root = ask(where, "GET", "/redfish/v1/")
    assert (status, headers["odata-version"]) == (200, "4.0")
    assert root["Systems"] == {"@odata.id": "/redfish/v1/Systems"}
    assert ask(where, "GET", "/redfish/v1/odata")[0] == 200
    assert ask(where, "GET", SYSTEM)[0] == 401
    assert ask(where, "GET", "/redfish/v1/Nothing", X_Auth_Token=token(where))[0] == 404


def test_wrong_password_and_one_session_too_many_are_refused(serve: Serve) -> None:
    _, where = serve(sessions=2)
    path = "/redfish/v1/SessionService/Sessions"

    assert ask(where, "POST", path, {"UserName": "admin", "Password": "x"})[0] == 401
    token(where)
    token(where)
    status, _, body = ask(where, "POST", path, {"UserName": "admin", "Password": "s3cret"})
    assert status == 503
    assert "SessionLimitExceeded" in body["error"]["code"]


def test_a_change_needs_the_tag_of_what_was_read(serve: Serve) -> None:
    _, where = serve()
    mine = token(where)
    change = {"Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"}}
    _, headers, _ = ask(where, "GET", SYSTEM, X_Auth_Token=mine)
    tag = headers["etag"]
    done, _, after = ask(where, "PATCH", SYSTEM, change, X_Auth_Token=mine, If_Match=tag)

    assert done == 200
    assert after["Boot"]["BootSourceOverrideTarget"] == "Pxe"
    assert ask(where, "PATCH", SYSTEM, change, X_Auth_Token=mine, If_Match=tag)[0] == 412
    assert ask(where, "GET", SYSTEM, X_Auth_Token=mine, If_None_Match=tag)[0] == 200


def test_bad_requests_are_refused_and_roles_kept_apart(serve: Serve) -> None:
    machine, where = serve()
    mine, readers = token(where), token(where, "ro", "readonly")
    reset = f"{SYSTEM}/Actions/ComputerSystem.Reset"

    assert ask(where, "POST", reset, {"ResetType": "Explode"}, X_Auth_Token=mine)[0] == 400
    assert ask(where, "POST", reset, {"ResetType": "PowerCycle"}, X_Auth_Token=mine)[0] == 409
    assert ask(where, "POST", reset, {"ResetType": "On"}, X_Auth_Token=readers)[0] == 403
    assert ask(where, "PATCH", SYSTEM, {"Name": "x"}, X_Auth_Token=mine)[0] == 400
    assert ask(where, "PATCH", SYSTEM, [], X_Auth_Token=mine)[0] == 400
    assert machine.history == []


def test_sushy_agrees(serve: Serve) -> None:
    machine, where = serve()
    logging.getLogger("sushy").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # urllib3 on the certificate, which is its own
        root = sushy.Sushy(
            f"https://{HOST}:{where.redfish_port}/redfish/v1",
            username="admin",
            password="s3cret",
            verify=False,
        )
        system = root.get_system(SYSTEM)
        before = system.power_state
        system.set_system_boot_options(
            target=sushy.BootSource.PXE, enabled=sushy.BootSourceOverrideEnabled.ONCE
        )
        system.reset_system(sushy.ResetType.ON)
        until(lambda: machine.history == ["on:network"])
        system.refresh(force=True)
        chassis = root.get_chassis("/redfish/v1/Chassis/1")
        heat = {t.name: t.reading_celsius for t in chassis.thermal.temperatures}
        manager = root.get_manager("/redfish/v1/Managers/1")

        assert before == sushy.PowerState.OFF
        assert system.power_state == sushy.PowerState.ON
        assert system.boot["enabled"] == sushy.BootSourceOverrideEnabled.DISABLED
        assert system.serial_number == machine.serial
        assert (system.uuid or "").lower() == machine.uuid
        assert heat == {"Ambient Temp": 24, "CPU Temp": 41}
        assert manager.manager_type == sushy.ManagerType.BMC
        assert list(system.ethernet_interfaces.summary) == list(machine.macs)
        system.reset_system(sushy.ResetType.FORCE_OFF)
        until(lambda: not machine.power())
        root._auth.close()  # else it is closed when collected, long after the service is gone


def test_pyghmi_agrees(serve: Serve) -> None:
    machine, where = serve()
    seen: list[bytes] = []

    def known(certificate: bytes) -> bool:
        seen.append(certificate)
        return True

    client = Command(HOST, "admin", "s3cret", verifycallback=known, port=where.redfish_port)
    client.set_bootdev("network", persist=True)
    client.set_power("on")
    until(machine.power)
    sensors = {s.name: s.value for s in client.get_sensor_data()}
    events = list(client.get_event_log(clear=True))

    assert client.get_power() == {"powerstate": "on"}
    assert machine.history == ["on:network"]
    assert (sensors["CPU Temp"], sensors["Fan 1"], sensors["12V"]) == (41, 4400, 12.06)
    assert [e["message"] for e in events] == ["power on"]
    assert seen


def test_accounts_are_listed_without_passwords_and_any_password_is_a_defect(serve: Serve) -> None:
    _, where = serve(defects=["any-password"])
    mine = token(where, "admin", "anything")
    path = "/redfish/v1/AccountService/Accounts/2"
    _, _, account = ask(where, "GET", path, X_Auth_Token=mine)

    assert (account["UserName"], account["Password"]) == ("admin", None)
    assert account["RoleId"] == "Administrator"
