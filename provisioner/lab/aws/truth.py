"""What is true of the guests, in the API's words."""

from __future__ import annotations

import time

from provisioner.lab.aws.keeper import Keeper, Phase
from provisioner.lab.aws.reconciler import Reconciler


class GuestTruth:
    """Answers the front's questions from the reconciler's keepers."""

    def __init__(self, reconciler: Reconciler, defects: frozenset[str] = frozenset()) -> None:
        self._reconciler = reconciler
        self._defects = defects

    def state(self, instance: str, told: str) -> str:
        """The state of an instance that moto has in state *told*."""
        keeper = self._reconciler.keeper(instance)
        if told in ("pending", "running"):
            early = "running-too-early" in self._defects
            up = keeper is not None and keeper.phase is Phase.UP
            return "running" if up or early else "pending"
        if keeper is None or keeper.phase is Phase.GONE:
            return told
        if told == "stopped":
            return told if keeper.phase is Phase.OFF else "stopping"
        if told == "terminated":
            return "shutting-down"
        return told

    def health(self, instance: str) -> str:
        """Reachability of a running instance."""
        keeper = self._reconciler.keeper(instance)
        if keeper is None:
            return "initializing"
        return "ok" if keeper.healthy else _unhealthy(keeper)

    def console(self, instance: str) -> tuple[bytes, float]:
        """The end of the console log, and when it was written."""
        keeper = self._reconciler.keeper(instance)
        if keeper is None or "console-empty" in self._defects:
            return b"", time.time()
        return keeper.guest.console()

    def wake(self) -> None:
        """Look soon."""
        self._reconciler.wake()

    def settle(self, timeout_s: float) -> bool:
        """Wait for a whole pass."""
        return self._reconciler.settle(timeout_s)

    def settle_volumes(self, timeout_s: float) -> None:
        """Wait until volumes are where they belong."""
        self._reconciler.settle_volumes(timeout_s)

    def stop_hard(self, instance: str) -> None:
        """Pull the plug at the next stop."""
        self._reconciler.stop_hard(instance)

    def reboot(self, instance: str) -> None:
        """Reboot the guest."""
        self._reconciler.reboot(instance)


def _unhealthy(keeper: Keeper) -> str:
    """A guest that has not answered yet is initializing; one that stopped answering is impaired."""
    return "impaired" if keeper.answered else "initializing"
