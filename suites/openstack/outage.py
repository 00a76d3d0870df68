"""Services that do not answer: what a check saw then is no verdict on the platform.

A service that is gone shows in the answers of others (nova cannot make a server without neutron,
and says 500 or puts it into the state error), so each is asked itself, by a request without a
token: whatever it says to that, short of a fault of its own, it is there.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from provisioner.driver import Handle
from provisioner.errors import COULD_NOT_TELL, PlatformError, Unsupported
from provisioner.features import RawCall
from provisioner.resources import Kind
from suites.seams import Subject

SERVICES = ("identity", "compute", "network", "image", "volume")


def silent(subject: Subject) -> dict[str, str]:
    """The services of the catalogue that do not answer, and what was heard of each instead."""
    nothing = Handle(platform=subject.name, kind=Kind.VOLUME, id="")
    raw = subject.driver.feature(RawCall, nothing)  # type: ignore[type-abstract]

    def heard(service: str) -> str:
        try:
            said = raw.call(f"{service} GET /", {"authenticated": False})
        except Unsupported:
            return ""  # it is not in the catalogue
        except PlatformError as error:
            return f"{type(error).__name__}: {error.message}"
        return f"status {said['status']}" if int(said["status"]) >= 500 else ""

    with ThreadPoolExecutor(len(SERVICES)) as pool:  # each may keep us until the time is up
        found = dict(zip(SERVICES, pool.map(heard, SERVICES), strict=True))
    return {service: why for service, why in found.items() if why}


def explained(subject: Subject, failed: Exception) -> str:
    """Why what failed says nothing of the platform; empty when it does, or says so itself."""
    if isinstance(failed, COULD_NOT_TELL):
        return ""
    gone = "; ".join(f"{name} does not answer: {why}" for name, why in silent(subject).items())
    return f"{gone}; seen: {failed}" if gone else ""
