"""The sensors of a controller: what they measure, their limits, and their readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TEMPERATURE, VOLTAGE, FAN = 1, 2, 4
CELSIUS, VOLTS, RPM = 1, 4, 18
LIMITS = ("lnc", "lc", "lnr", "unc", "uc", "unr")  # the order of Get Sensor Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """A linear sensor: value = raw * factor * 10**exponent.

    ``limits`` are in the sensor's unit, by the names in ``LIMITS`` (lower/upper non-critical,
    critical, non-recoverable). ``raw_on`` and ``raw_off`` are the readings with and without
    power; None means that there is no reading then.
    """

    number: int
    name: str
    type: int
    unit: int
    entity: int
    factor: int
    exponent: int
    raw_on: int | None
    raw_off: int | None
    limits: Mapping[str, float] = field(default_factory=dict)

    def value(self, raw: int) -> float:
        """A raw reading in the sensor's unit."""
        return float(round(raw * self.factor * 10.0**self.exponent, 4))

    def raw_limit(self, limit: str) -> int:
        """A limit as raw reading, 0 where there is none."""
        value = self.limits.get(limit)
        return 0 if value is None else round(value / (self.factor * 10.0**self.exponent))

    def mask(self) -> int:
        """Which limits there are, as a bit mask."""
        return sum(1 << bit for bit, name in enumerate(LIMITS) if name in self.limits)

    def crossed(self, raw: int) -> int:
        """Which limits a reading has crossed, as a bit mask."""
        value, crossed = self.value(raw), 0
        for bit, name in enumerate(LIMITS):
            limit = self.limits.get(name)
            if limit is None:
                continue
            if (name.startswith("l") and value <= limit) or (
                name.startswith("u") and value >= limit
            ):
                crossed |= 1 << bit
        return crossed


SENSORS: Sequence[Sensor] = (
    Sensor(number=1, name="Ambient Temp", type=TEMPERATURE, unit=CELSIUS, entity=7, factor=1,
           exponent=0, raw_on=24, raw_off=21, limits={"lc": 3.0, "lnc": 5.0, "unc": 42.0,
                                                      "uc": 47.0}),
    Sensor(number=2, name="CPU Temp", type=TEMPERATURE, unit=CELSIUS, entity=3, factor=1,
           exponent=0, raw_on=41, raw_off=None, limits={"unc": 85.0, "uc": 95.0, "unr": 100.0}),
    Sensor(number=3, name="Fan 1", type=FAN, unit=RPM, entity=29, factor=50, exponent=0,
           raw_on=88, raw_off=None, limits={"lc": 500.0, "lnc": 800.0}),
    Sensor(number=4, name="12V", type=VOLTAGE, unit=VOLTS, entity=10, factor=6, exponent=-2,
           raw_on=201, raw_off=None, limits={"lc": 10.8, "lnc": 11.4, "unc": 12.6, "uc": 13.2}),
)  # fmt: skip
BY_NUMBER: Mapping[int, Sensor] = {sensor.number: sensor for sensor in SENSORS}


def reading(sensor: Sensor, *, on: bool, dead: bool = False) -> int | None:
    """The raw reading now; a *dead* sensor stands at the end of its scale."""
    if dead:
        return 255
    return sensor.raw_on if on else sensor.raw_off
