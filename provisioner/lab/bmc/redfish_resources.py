"""What the Redfish service shows: each resource as a document built from the controller."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from provisioner.lab.bmc import accounts
from provisioner.lab.bmc.controller import Controller
from provisioner.lab.bmc.eventlog import ACPI_POWER, BOOT_INITIATED, SESSION_AUDIT
from provisioner.lab.bmc.sensors import FAN, SENSORS, TEMPERATURE, VOLTAGE, Sensor

Document = dict[str, Any]

ROOT = "/redfish/v1/"
SYSTEM = "/redfish/v1/Systems/1"
CHASSIS = "/redfish/v1/Chassis/1"
MANAGER = "/redfish/v1/Managers/1"
LOG = f"{MANAGER}/LogServices/Log"
SESSIONS = "/redfish/v1/SessionService/Sessions"
ACCOUNTS = "/redfish/v1/AccountService"
RESETS = (
    "On", "ForceOn", "ForceOff", "GracefulShutdown", "ForceRestart", "PowerCycle", "Nmi",
    "PushPowerButton",
)  # fmt: skip
TARGETS = {"None": 0, "Pxe": 1, "Hdd": 2, "Cd": 5, "BiosSetup": 6}
ROLES = {accounts.ADMINISTRATOR: "Administrator", accounts.OPERATOR: "Operator"}
EVENTS = {
    (ACPI_POWER, 0): "power on",
    (ACPI_POWER, 6): "power off",
    (BOOT_INITIATED, 1): "hard reset",
    (SESSION_AUDIT, 2): "wrong name or password",
}


def role(privilege: int) -> str:
    """The Redfish role of an IPMI privilege."""
    return ROLES.get(privilege, "ReadOnly")


def link(path: str) -> Document:
    """A reference to another resource."""
    return {"@odata.id": path}


def resource(path: str, kind: str, name: str, more: Mapping[str, Any]) -> Document:
    """A resource with the properties each one has."""
    return {
        "@odata.id": path,
        "@odata.type": kind,
        "Id": path.rstrip("/").rsplit("/", 1)[-1],
        "Name": name,
        **more,
    }


def collection(path: str, kind: str, members: list[str]) -> Document:
    """A collection of resources."""
    return {
        "@odata.id": path,
        "@odata.type": f"#{kind}.{kind}",
        "Name": kind,
        "Members": [link(member) for member in members],
        "Members@odata.count": len(members),
    }


def service_root(controller: Controller) -> Document:
    """The one document that needs no login."""
    return resource(ROOT, "#ServiceRoot.v1_5_0.ServiceRoot", "Lab Redfish service", {
        "Id": "RootService",
        "RedfishVersion": "1.6.0",
        "UUID": str(uuid.UUID(bytes=controller.guid)),
        "Systems": link("/redfish/v1/Systems"),
        "Chassis": link("/redfish/v1/Chassis"),
        "Managers": link("/redfish/v1/Managers"),
        "SessionService": link("/redfish/v1/SessionService"),
        "AccountService": link(ACCOUNTS),
        "Links": {"Sessions": link(SESSIONS)},
    })  # fmt: skip


def odata() -> Document:
    """The OData service document."""
    names = ("Systems", "Chassis", "Managers", "SessionService", "AccountService")
    entries = [{"name": "Service", "kind": "Singleton", "url": ROOT}]
    entries += [{"name": n, "kind": "Singleton", "url": f"{ROOT}{n}"} for n in names]
    return {"@odata.context": f"{ROOT}$metadata", "value": entries}


def system(controller: Controller) -> Document:
    """The machine."""
    board, override = controller.board, controller.boot.override
    on = controller.power()
    enabled = "Disabled"
    if override.valid and override.device:
        enabled = "Continuous" if override.persistent else "Once"
    names = {code: name for name, code in TARGETS.items()}
    target = names.get(override.device, "None") if override.valid else "None"
    health = {"State": "Enabled" if on else "StandbyOffline", "Health": "OK"}
    return resource(SYSTEM, "#ComputerSystem.v1_10_0.ComputerSystem", board.name, {
        "SystemType": "Physical",
        "UUID": board.uuid,
        "SerialNumber": "X-0000" if "wrong-serial" in controller.defects else board.serial,
        "Manufacturer": board.manufacturer,
        "Model": board.product,
        "PowerState": "On" if on else "Off",
        "Status": health,
        "ProcessorSummary": {"Count": board.cpu, "Status": health},
        "MemorySummary": {"TotalSystemMemoryGiB": board.memory_mib / 1024, "Status": health},
        "EthernetInterfaces": link(f"{SYSTEM}/EthernetInterfaces"),
        "Boot": {
            "BootSourceOverrideEnabled": enabled,
            "BootSourceOverrideTarget": target,
            "BootSourceOverrideMode": "UEFI" if override.valid and override.uefi else "Legacy",
            "BootSourceOverrideTarget@Redfish.AllowableValues": list(TARGETS),
        },
        "Links": {"Chassis": [link(CHASSIS)], "ManagedBy": [link(MANAGER)]},
        "Actions": {
            "#ComputerSystem.Reset": {
                "target": f"{SYSTEM}/Actions/ComputerSystem.Reset",
                "ResetType@Redfish.AllowableValues": list(RESETS),
            }
        },
    })  # fmt: skip


def interface(controller: Controller, number: int) -> Document:
    """One network interface of the machine."""
    path = f"{SYSTEM}/EthernetInterfaces/{number + 1}"
    mac = controller.board.macs[number]
    kind = "#EthernetInterface.v1_5_1.EthernetInterface"
    return resource(path, kind, f"NIC {number + 1}", {
        "MACAddress": mac,
        "PermanentMACAddress": mac,
        "InterfaceEnabled": True,
        "Status": {"State": "Enabled", "Health": "OK"},
    })  # fmt: skip


def chassis(controller: Controller) -> Document:
    """The housing, with the way to its sensors."""
    board = controller.board
    return resource(CHASSIS, "#Chassis.v1_10_0.Chassis", f"{board.name} chassis", {
        "ChassisType": "RackMount",
        "Manufacturer": board.manufacturer,
        "Model": board.product,
        "SerialNumber": "X-0000" if "wrong-serial" in controller.defects else board.serial,
        "PowerState": "On" if controller.power() else "Off",
        "Status": {"State": "Enabled", "Health": "OK"},
        "Thermal": link(f"{CHASSIS}/Thermal"),
        "Power": link(f"{CHASSIS}/Power"),
        "Links": {"ComputerSystems": [link(SYSTEM)], "ManagedBy": [link(MANAGER)]},
    })  # fmt: skip


def thermal(controller: Controller) -> Document:
    """Temperatures and fans."""
    path = f"{CHASSIS}/Thermal"
    heat = [_measured(controller, s, path, "Temperatures", "ReadingCelsius") for s in SENSORS
            if s.type == TEMPERATURE]  # fmt: skip
    fans = [_measured(controller, s, path, "Fans", "Reading") for s in SENSORS if s.type == FAN]
    for fan in fans:
        fan["ReadingUnits"] = "RPM"
    return resource(path, "#Thermal.v1_5_0.Thermal", "Thermal", {
        "Temperatures": heat,
        "Fans": fans,
    })  # fmt: skip


def power(controller: Controller) -> Document:
    """Voltages."""
    path = f"{CHASSIS}/Power"
    volts = [_measured(controller, s, path, "Voltages", "ReadingVolts") for s in SENSORS
             if s.type == VOLTAGE]  # fmt: skip
    return resource(path, "#Power.v1_5_0.Power", "Power", {"Voltages": volts})


def _measured(
    controller: Controller, sensor: Sensor, path: str, group: str, value: str
) -> Document:
    raw = controller.sensor(sensor.number)
    bad = raw is not None and sensor.crossed(raw)
    found: Document = {
        "@odata.id": f"{path}#/{group}/{sensor.number}",
        "MemberId": str(sensor.number),
        "Name": sensor.name,
        value: None if raw is None else sensor.value(raw),
        "Status": {
            "State": "Absent" if raw is None else "Enabled",
            "Health": "Critical" if bad else "OK",
        },
    }
    words = {
        "lnc": "LowerThresholdNonCritical",
        "lc": "LowerThresholdCritical",
        "unc": "UpperThresholdNonCritical",
        "uc": "UpperThresholdCritical",
        "unr": "UpperThresholdFatal",
    }
    found |= {words[name]: limit for name, limit in sensor.limits.items()}
    return found


def manager(controller: Controller) -> Document:
    """The management controller itself."""
    return resource(MANAGER, "#Manager.v1_6_0.Manager", "Lab BMC", {
        "ManagerType": "BMC",
        "FirmwareVersion": "1.23",
        "UUID": str(uuid.UUID(bytes=controller.guid)),
        "DateTime": moment(controller.now()),
        "DateTimeLocalOffset": "+00:00",
        "PowerState": "On",
        "Status": {"State": "Enabled", "Health": "OK"},
        "LogServices": link(f"{MANAGER}/LogServices"),
        "Links": {"ManagerForServers": [link(SYSTEM)], "ManagerForChassis": [link(CHASSIS)]},
        "Actions": {
            "#Manager.Reset": {
                "target": f"{MANAGER}/Actions/Manager.Reset",
                "ResetType@Redfish.AllowableValues": ["ForceRestart", "GracefulRestart"],
            }
        },
    })  # fmt: skip


def log_service(controller: Controller) -> Document:
    """The event log."""
    return resource(LOG, "#LogService.v1_1_3.LogService", "Event log", {
        "Entries": link(f"{LOG}/Entries"),
        "DateTime": moment(controller.now()),
        "OverWritePolicy": "NeverOverWrites",
        "Actions": {"#LogService.ClearLog": {"target": f"{LOG}/Actions/LogService.ClearLog"}},
    })  # fmt: skip


def log_entries(controller: Controller) -> Document:
    """Every entry of the event log, whole."""
    controller.look()
    entries = [_entry(record) for record in controller.log.all()]
    found = collection(f"{LOG}/Entries", "LogEntryCollection", [])
    return found | {"Members": entries, "Members@odata.count": len(entries)}


def _entry(record: bytes) -> Document:
    number, _, at, _, _, kind, sensor, _, offset = struct.unpack("<HBIHBBBBB", record[:14])
    text = EVENTS.get((kind, offset & 0x0F), f"event {kind:#04x}/{offset & 0x0F}")
    path = f"{LOG}/Entries/{number}"
    return resource(path, "#LogEntry.v1_4_0.LogEntry", f"Entry {number}", {
        "EntryType": "SEL",
        "Created": moment(at),
        "Severity": "Warning" if kind == SESSION_AUDIT else "OK",
        "Message": text,
        "MessageId": f"Lab.1.0.{kind}.{offset & 0x0F}",
        "SensorNumber": sensor,
    })  # fmt: skip


def account(controller: Controller, number: int) -> Document:
    """One user; the password is never shown."""
    slot = controller.accounts.slot(number)
    path = f"{ACCOUNTS}/Accounts/{number}"
    return resource(path, "#ManagerAccount.v1_3_0.ManagerAccount", f"User {number}", {
        "UserName": slot.name,
        "Password": None,
        "Enabled": slot.enabled,
        "Locked": False,
        "RoleId": role(slot.privilege),
        "Links": {"Role": link(f"{ACCOUNTS}/Roles/{role(slot.privilege)}")},
    })  # fmt: skip


def moment(epoch: float) -> str:
    """RFC 3339, to the second, with the offset written out."""
    return datetime.fromtimestamp(int(epoch), UTC).isoformat()
