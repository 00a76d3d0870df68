"""What a workload may cost: machines, time and money, held to when it is planned and while it runs.

A budget that cannot be held to is refused: money where a platform tells no prices, or tells them in
another currency. Time is counted from when things begin to be made; who carries the plan out stops
then and takes everything down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from provisioner.driver import Description

HOUR = 3600.0
CURRENCY = "currency"  # the fact of a platform's description that says what its prices are in
TIME = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def _seconds(value: object) -> float:
    """``1h30m``, ``45m`` or ``90s`` in seconds."""
    match = TIME.fullmatch(str(value)) if value else None
    if match is None:
        raise ValueError(f"{value!r} is no time, expected such as 45m, 2h or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * HOUR + minutes * 60 + seconds
    if not total:
        raise ValueError(f"{value!r} is no time to do anything in, expected such as 45m")
    return total


class Money(BaseModel):
    """An amount, written ``2.00 USD``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: float
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:.2f} {self.currency}"


def _money(value: Any) -> dict[str, Any]:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ([A-Z]{3})", str(value))
    if match is None:
        raise ValueError(f"{value!r} is no sum, expected such as 2.00 USD")
    return {"amount": float(match[1]), "currency": match[2]}


Seconds = Annotated[float, BeforeValidator(_seconds)]


class Budget(BaseModel):
    """What a run may cost; what is not said has no bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    money: Annotated[Money, BeforeValidator(_money)] | None = None
    wall: Seconds | None = None
    machines: int = Field(default=0, ge=0)
    keep_on_failure: Seconds | None = None

    def unmet(
        self, machines: int, price_per_hour: float, platforms: Iterable[Description]
    ) -> Iterator[str]:
        """Why a plan of so many machines at that price is not within the budget."""
        if self.machines and machines > self.machines:
            yield f"needs {machines} machines, the budget allows {self.machines}"
        if self.money is None:
            return
        for about in platforms:
            told = about.facts.get(CURRENCY)
            if told != self.money.currency:
                tells = f"tells prices in {told}" if told else "tells no prices"
                yield (
                    f"{about.platform}: {tells}, so that a budget of {self.money} cannot be held to"
                )
        if self.wall and (cost := price_per_hour * self.wall / HOUR) > self.money.amount:
            yield (
                f"costs {cost:.2f} {self.money.currency} in {shown(self.wall)},"
                f" the budget allows {self.money}"
            )

    def seconds(self, price_per_hour: float) -> float | None:
        """For how long what costs so much may stand; None is any time."""
        if self.money is None or not price_per_hour:
            return self.wall
        bought = self.money.amount / price_per_hour * HOUR
        return bought if self.wall is None else min(bought, self.wall)


def shown(seconds: float) -> str:
    """A time as it is written: ``1h30m``."""
    whole = round(seconds)
    parts = ((whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
