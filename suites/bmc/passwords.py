"""How a wrong password is answered."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from provisioner.errors import COULD_NOT_TELL
from provisioner.features import Controller, Power
from suites.claims import claim, observed_as_declared
from suites.seams import Members, Observe, Subject
from suites.waits import Stopwatch

TRIES = 3  # below the lockout thresholds of common controllers


@pytest.mark.check("bmc-09", needs=("bmc",))
@pytest.mark.cost("shared")
def test_a_wrong_password_is_not_let_in(
    subject: Subject, members: Members, observe: Observe
) -> None:
    """A wrong password never logs in; how it is answered, and whether it locks out, is recorded."""
    member = members[0]
    controller = subject.driver.feature(Controller, member.handle)  # type: ignore[type-abstract]
    user, answers = _user(subject), []
    for number in range(TRIES):
        clock = Stopwatch()
        answers.append(controller.login(user, f"interop-wrong-{number}"))
        observe("wrong-password-answered-after", clock.seconds, unit="s", source="observed")
    unknown = controller.login("interop-nobody", "interop-wrong")
    observed_as_declared(subject, observe, "wrong-password", "+".join(sorted(set(answers))))
    observed_as_declared(subject, observe, "unknown-user", unknown)
    observe("protocols", list(controller.protocols()), source="api", member=member.name)
    claim("ok" not in answers, "a wrong password is refused", expected="refused", actual=answers)
    claim(unknown != "ok", "an unknown user is refused", expected="refused", actual=unknown)
    try:
        subject.driver.feature(Power, member.handle).status()  # type: ignore[type-abstract]
        locked = False
    except COULD_NOT_TELL:
        locked = True
    observed_as_declared(subject, observe, "lockout", locked)


def _user(subject: Subject) -> str:
    """A user that the controllers know, or else the customary one."""
    inventory = subject.config.settings.get("inventory")
    for machine in inventory if isinstance(inventory, (list, tuple)) else ():
        bmc = machine.get("bmc", {}) if isinstance(machine, Mapping) else {}
        if bmc.get("user"):
            return str(bmc["user"])
    return "admin"
