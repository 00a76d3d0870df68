"""A network of its own for every user that Tempest acts as, made and removed like a run's own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from provisioner.bench import Bench
from provisioner.driver import Owner
from provisioner.ledger import Ledger
from provisioner.platform import PlatformConfig, open_driver
from provisioner.resources import Kind, NetworkSpec

LASTS = timedelta(hours=6)  # after it anybody may reap what is left


@contextmanager
def networks(
    platform: PlatformConfig, clouds: Sequence[str], folder: Path, run: str
) -> Iterator[dict[str, str]]:
    """Entry of clouds.yaml -> name of the network its user has while this holds.

    Args:
        platform: the platform the entries belong to.
        clouds: entries of its clouds.yaml, of a project each.
        folder: where the ledgers are; ``interop reap --run`` reads them.
        run: the id that everything made is tagged with.

    Raises:
        PlatformError: a network could not be made, or does not go.
    """
    expires = (datetime.now(UTC) + LASTS).isoformat(timespec="seconds")
    owner = Owner(run=run, expires=expires)
    made: dict[str, str] = {}
    with ExitStack() as stack:
        for number, cloud in enumerate(clouds):
            entry = replace(platform, settings={**platform.settings, "cloud": cloud})
            driver = open_driver(entry)
            stack.callback(driver.close)
            part = re.sub(r"[^a-z0-9-]+", "-", f"tempest-{number}-{cloud}".lower())
            ledger = Ledger(folder / f"ledger-{part}.jsonl", run, expires=expires)
            stack.callback(ledger.close)
            bench = stack.enter_context(Bench(driver, ledger, owner, ""))
            name = f"tempest-{secrets.token_hex(3)}"
            bench.create(Kind.NETWORK, name, NetworkSpec(cidr="10.91.0.0/24"))
            made[cloud] = name
        yield made
