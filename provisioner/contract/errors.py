"""A driver raises the closed set of errors and nothing else."""

# ruff: noqa: S101, D101 - tests

from __future__ import annotations

import time

import pytest

from provisioner.contract.subject import ContractSubject, Maker, MakerContract
from provisioner.driver import Owner
from provisioner.errors import Lost, Throttled, Timeout, Unauthorized


class ErrorContract(MakerContract):
    def test_wrong_credentials_are_unauthorized(self, contract: ContractSubject) -> None:
        if contract.wrong is None:
            pytest.skip("no driver with wrong credentials was given")
        driver = contract.wrong()

        try:
            with pytest.raises(Unauthorized):
                list(driver.find(Owner(run="x")))
        finally:
            driver.close()

    def test_a_platform_that_does_not_answer_is_lost_in_bounded_time(
        self, contract: ContractSubject
    ) -> None:
        if contract.unreachable is None:
            pytest.skip("no unreachable driver was given")
        driver = contract.unreachable()
        begun = time.monotonic()

        try:
            with pytest.raises((Lost, Timeout)):
                list(driver.find(Owner(run="x")))
        finally:
            driver.close()
        assert time.monotonic() - begun < 60

    def test_throttling_says_when_to_come_back(self, contract: ContractSubject) -> None:
        if contract.throttled is None:
            pytest.skip("no throttled driver was given")
        driver = contract.throttled()

        try:
            with pytest.raises(Throttled) as caught:
                list(driver.find(Owner(run="x")))
        finally:
            driver.close()
        assert caught.value.retry_after > 0

    def test_nothing_is_left_behind_by_the_kit(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")
        maker.ready(handle)

        maker.clear()

        assert maker.found() == []
