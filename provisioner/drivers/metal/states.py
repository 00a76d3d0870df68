"""What a claimed machine is now: power by its BMC, registration, and sshd by asking it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from provisioner.clock import Clock
from provisioner.driver import Access, State, Status
from provisioner.drivers.metal.registry import Claim, Life, Registry
from provisioner.drivers.metal.settings import MachineModel, MetalSettings
from provisioner.errors import Lost
from provisioner.reach import Dialer

BANNER_S = 2.0
SSH = 22


def machine_state(
    settings: MetalSettings,
    model: MachineModel,
    claim: Claim,
    registry: Registry,
    power: str,
    dialer: Dialer,
    clock: Clock,
) -> State:
    """PENDING until it registered and its sshd answers; STOPPED when it is off after that."""
    life = registry.life(claim)
    address = str(life.hardware.get("address") or settings.address_of(claim.machine))
    status, reason = Status.PENDING, ""
    if power == "off":
        status = Status.STOPPED if life.ready else Status.PENDING
        if not life.ready:
            reason = "switched off before it was installed"
    elif not life.registered:
        reason = _where(life)
    elif not answers(dialer, address):
        reason = f"registered; no ssh at {address} yet"
    else:
        status = Status.READY
        if not life.ready:
            life = registry.live(claim, lambda old: replace(old, ready=old.ready or clock.time()))
    failed = next((e for e in reversed(life.events) if e.get("phase") in ("error", "done")), None)
    if failed and failed["phase"] == "error":
        reason = f"initialisation: {str(failed['text'])[:200]}"
    access = None
    if life.registered:
        access = Access(
            how="ssh",
            host=address,
            port=SSH,
            user=settings.boot.user,
            host_keys=life.host_keys,
            host_keys_from="registration" if life.host_keys else "none",
        )
    return State(
        status=status,
        addresses={"private": address},
        access=access,
        tags=claim.tags,
        facts=_facts(model, claim, life),
        raw={"power": power, "events": list(life.events)[-20:], "score": life.score},
        version=str(life.network_boots),
        reason=reason,
    )


def answers(dialer: Dialer, address: str) -> bool:
    """Whether an SSH server says who it is; that somebody accepts is not enough."""
    with contextlib.suppress(OSError, Lost), dialer.connect(address, SSH, BANNER_S) as line:
        line.settimeout(BANNER_S)
        return line.recv(4) == b"SSH-"
    return False


def _where(life: Life) -> str:
    """How far an installation is."""
    if not life.started:
        return "claimed, not switched on yet"
    if not life.network_boots:
        return "switched on; its firmware has not asked for a script yet"
    return "booting the installer"


def _facts(model: MachineModel, claim: Claim, life: Life) -> dict[str, Any]:
    told = life.hardware
    facts: dict[str, Any] = {
        "instance_id": claim.instance,
        "machine": model.name,
        "image": claim.image,
        "hostname": claim.hostname,
        "mac": next(iter(told.get("macs") or model.macs), ""),
        "serial": model.serial or told.get("serial", ""),
        "uuid": model.uuid or told.get("uuid", ""),
        "cpu": model.cpu,
        "memory_mib": model.memory_mib,
        "firmware": told.get("firmware") or model.firmware,
        "network_boots": life.network_boots,
        "identity_score": life.score,
    }
    if life.registered and life.network_boots:
        facts["installed_by"] = "network"
        facts["register_s"] = round(life.registered - life.started, 3)
    if life.ready:
        facts["ssh_s"] = round(life.ready - life.started, 3)
    for event in life.events:
        if event.get("phase") in ("installed", "done"):
            facts[f"{event['phase']}_s"] = round(float(event["at"]) - life.started, 3)
    return facts
