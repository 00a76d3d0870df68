"""What a driver must say of its platform, and that planning does nothing."""

# ruff: noqa: S101, D101 - tests

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from provisioner.contract.subject import ContractSubject, Maker, MakerContract
from provisioner.driver import Owner
from provisioner.errors import BadRequest, Unsupported
from provisioner.resources import (
    AddressSpec,
    AttachmentSpec,
    BucketSpec,
    ConfigSpec,
    FirewallSpec,
    ImageSpec,
    KeySpec,
    Kind,
    MachineSpec,
    NetworkSpec,
    Ref,
    Resource,
    ServiceSpec,
    Spec,
    Support,
    VolumeSpec,
)

ANY_SPEC: dict[Kind, Spec] = {
    Kind.KEY: KeySpec(public_key="ssh-ed25519 AAAA"),
    Kind.IMAGE: ImageSpec(),
    Kind.NETWORK: NetworkSpec(),
    Kind.FIREWALL: FirewallSpec(),
    Kind.ADDRESS: AddressSpec(),
    Kind.VOLUME: VolumeSpec(size_gib=1),
    Kind.MACHINE: MachineSpec(),
    Kind.ATTACHMENT: AttachmentSpec(machine=Ref(Kind.MACHINE, "m"), what=Ref(Kind.VOLUME, "v")),
    Kind.BUCKET: BucketSpec(),
    Kind.SERVICE: ServiceSpec(network=Ref(Kind.NETWORK, "network"), port=80),
    Kind.CONFIG: ConfigSpec(data={"name": "value"}),
}


class DescribeContract:
    def test_description_names_platform_and_kind(self, contract: ContractSubject) -> None:
        description = contract.driver.describe()

        assert description.platform == contract.driver.platform
        assert description.kind == contract.driver.kind

    def test_description_is_the_same_twice(self, contract: ContractSubject) -> None:
        assert contract.driver.describe() == contract.driver.describe()

    def test_description_tells_support_of_every_kind(self, contract: ContractSubject) -> None:
        assert set(contract.driver.describe().kinds) == set(Kind)

    def test_description_gives_a_reason_for_each_absent_kind(
        self, contract: ContractSubject
    ) -> None:
        description = contract.driver.describe()

        unexplained = [
            str(kind)
            for kind, support in description.kinds.items()
            if support is Support.ABSENT and not description.absent.get(str(kind))
        ]

        assert unexplained == []

    def test_description_offers_every_kind_it_has_as_a_feature(
        self, contract: ContractSubject
    ) -> None:
        description = contract.driver.describe()
        managed = {str(k) for k, s in description.kinds.items() if s is Support.MANAGED}

        assert managed - description.features == set()

    def test_nothing_is_both_offered_and_absent(self, contract: ContractSubject) -> None:
        description = contract.driver.describe()

        assert set(description.absent) & description.features == set()

    def test_description_declares_a_window_of_visibility(self, contract: ContractSubject) -> None:
        assert contract.driver.describe().limits["visibility_s"] >= 0

    def test_offers_have_unique_ids_and_a_source(self, contract: ContractSubject) -> None:
        description = contract.driver.describe()

        for offers in (description.images, description.sizes):
            assert len({offer.id for offer in offers}) == len(offers)
            assert [offer.id for offer in offers if not offer.source] == []

    def test_description_is_plain_and_serialisable(self, contract: ContractSubject) -> None:
        told = asdict(contract.driver.describe())
        told["features"] = sorted(told["features"])

        json.dumps(told)


class PlanContract(MakerContract):
    def test_planning_has_no_side_effects(self, maker: Maker) -> None:
        for kind in maker.subject.specs:
            maker.driver.plan(maker.want(kind, "planned"))

        assert maker.found() == []

    def test_planning_is_deterministic(self, maker: Maker) -> None:
        for kind in maker.subject.specs:
            want = maker.want(kind, "planned")
            assert maker.driver.plan(want) == maker.driver.plan(want)

    def test_a_plan_keeps_the_wish_and_names_its_platform(self, maker: Maker) -> None:
        want = maker.want(maker.kind(), "planned")

        step = maker.driver.plan(want)

        assert step.resource == want
        assert step.platform == maker.driver.platform
        assert step.wait_s > 0
        assert step.price_per_hour >= 0

    def test_a_plan_lists_what_must_exist_first(self, maker: Maker) -> None:
        key = Ref(Kind.KEY, "key")
        maker.need(Kind.MACHINE)
        if maker.driver.describe().kinds[Kind.KEY] is Support.ABSENT:
            pytest.skip("no keys on this platform")
        want = Resource(
            kind=Kind.MACHINE, name="m", spec=MachineSpec(key=key), tags=maker.owner.tags("m")
        )

        assert key in maker.driver.plan(want).refs

    def test_a_kind_that_is_absent_is_unsupported(self, contract: ContractSubject) -> None:
        kinds = contract.driver.describe().kinds

        for kind, support in kinds.items():
            if support is Support.ABSENT:
                want = Resource(
                    kind=kind, name="x", spec=ANY_SPEC[kind], tags=Owner(run="x").tags("x")
                )
                with pytest.raises(Unsupported):
                    contract.driver.plan(want)

    def test_a_machine_larger_than_any_is_a_bad_request(self, maker: Maker) -> None:
        maker.need(Kind.MACHINE)
        spec = MachineSpec(cpu=100_000, memory_mib=1 << 30)
        want = Resource(kind=Kind.MACHINE, name="m", spec=spec, tags=maker.owner.tags("m"))

        with pytest.raises(BadRequest):
            maker.driver.plan(want)

    def test_an_image_nobody_has_is_a_bad_request(self, maker: Maker) -> None:
        maker.need(Kind.MACHINE)
        spec = MachineSpec(image=ImageSpec(os="templeos", version="0"))
        want = Resource(kind=Kind.MACHINE, name="m", spec=spec, tags=maker.owner.tags("m"))

        with pytest.raises(BadRequest):
            maker.driver.plan(want)

    def test_a_step_without_what_it_needs_is_not_carried_out(self, maker: Maker) -> None:
        maker.need(Kind.ATTACHMENT)
        step = maker.driver.plan(maker.want(Kind.ATTACHMENT, "joined"))

        with pytest.raises((BadRequest, KeyError)):
            maker.driver.create(step, "token-of-an-unbound-step")
        assert maker.found() == []
