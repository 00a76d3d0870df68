"""The driver contract kit: the tests every driver must pass, shipped or third-party.

To use it, write one file with a fixture and an empty class::

    from provisioner.contract import ContractSubject, DriverContract

    @pytest.fixture
    def contract(tmp_path: Path) -> Iterator[ContractSubject]:
        driver = open_driver(PlatformConfig(name="p", kind="mine", settings={...}, state=tmp_path))
        yield ContractSubject(
            driver=driver,
            specs={                              # what may be created, the cheapest first
                Kind.KEY: KeySpec(public_key="ssh-ed25519 AAAA..."),
                Kind.MACHINE: MachineSpec(key=Ref(Kind.KEY, "key")),   # made first, from its spec
            },
            wrong=lambda: open_driver(config_with_a_wrong_password),   # None: the test is skipped
            unreachable=lambda: open_driver(config_of_a_closed_port),  # None: the test is skipped
            throttled=None,                      # a driver whose next call is throttled
        )
        driver.close()

    class TestMyDriver(DriverContract):
        pass

The kit gives each test an owner of its own and removes what the test made, so a fixture with a
wider scope works too (``scope="module"`` for platforms that are slow to open). Tests about a kind
or feature that the description does not offer are skipped with the description's reason. With
``slow=True`` tests that need a machine of their own are left to one combined test.
"""

import pytest

pytest.register_assert_rewrite(
    "provisioner.contract.describe",
    "provisioner.contract.errors",
    "provisioner.contract.life",
    "provisioner.contract.machine",
)

from provisioner.contract.describe import DescribeContract, PlanContract  # noqa: E402
from provisioner.contract.errors import ErrorContract  # noqa: E402
from provisioner.contract.life import DeleteContract, FindContract, LifeContract  # noqa: E402
from provisioner.contract.machine import MachineContract  # noqa: E402
from provisioner.contract.subject import ContractSubject, Maker  # noqa: E402


class DriverContract(
    DescribeContract,
    PlanContract,
    LifeContract,
    FindContract,
    DeleteContract,
    MachineContract,
    ErrorContract,
):
    """All of it. Name the subclass ``Test...`` so that pytest collects it."""


__all__ = ["ContractSubject", "DriverContract", "Maker"]
