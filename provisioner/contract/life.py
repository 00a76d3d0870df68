"""Create, read, find and delete: at most once, tagged at once, found in time, gone for good."""

# ruff: noqa: S101, D101 - tests

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from provisioner.contract.subject import Maker, MakerContract, unknown_handle
from provisioner.deployment import (
    handle_from_json,
    handle_to_json,
    state_from_json,
    state_to_json,
)
from provisioner.driver import TAG_NAME, TAG_RUN, Owner, Status
from provisioner.errors import BadRequest, Capacity, Conflict, PlatformError, Quota
from provisioner.resources import Kind, Resource

TOKEN = "5f3a0c1d2b4e6f708192a3b4c5d6e7f8"  # noqa: S105 - an at-most-once token, no secret


class LifeContract(MakerContract):
    def test_everything_that_may_be_made_becomes_ready(self, maker: Maker) -> None:
        for kind in maker.subject.specs:
            if maker.subject.slow and kind is Kind.MACHINE:
                continue
            handle = maker.make(kind, kind.value)
            assert maker.ready(handle).status is Status.READY

    def test_a_handle_says_whose_it_is(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")

        assert handle.platform == maker.driver.platform
        assert handle.kind == maker.kind()
        assert handle.name == "mine"
        assert handle.run == maker.owner.run
        assert handle.id

    def test_a_handle_survives_json(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")

        again = handle_from_json(json.loads(json.dumps(handle_to_json(handle))))

        assert again == handle
        assert maker.ready(again).status is Status.READY

    def test_the_same_token_makes_one_resource(self, maker: Maker) -> None:
        first = maker.make(maker.kind(), "mine", token=TOKEN)
        maker.visible(lambda: first in maker.found(), "the resource to be found")

        assert maker.make(maker.kind(), "mine", token=TOKEN) == first
        assert len(maker.found()) == len(maker.made)

    def test_the_same_token_still_makes_one_when_the_first_is_ready(self, maker: Maker) -> None:
        first = maker.make(maker.kind(), "mine", token=TOKEN)
        maker.ready(first)
        maker.visible(lambda: first in maker.found(), "the resource to be found")

        assert maker.make(maker.kind(), "mine", token=TOKEN) == first

    def test_the_same_token_at_the_same_time_makes_one(self, maker: Maker) -> None:
        kind = maker.kind()
        step = maker.driver.plan(maker.want(kind, "mine"))
        first = maker.make(kind, "mine", token=TOKEN)
        maker.visible(lambda: first in maker.found(), "the resource to be found")
        bound = step.bind(maker.made)

        with ThreadPoolExecutor(4) as pool:
            handles = list(pool.map(lambda _: maker.driver.create(bound, TOKEN), range(8)))

        assert {handle.id for handle in handles} == {first.id}

    def test_another_token_and_name_make_another_resource(self, maker: Maker) -> None:
        first = maker.make(maker.kind(), "one")
        try:
            second = maker.make(maker.kind(), "two")
        except (Capacity, Quota):
            pytest.skip("the platform has room for one only")

        assert first.id != second.id

    def test_tags_are_there_at_the_first_read(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")
        maker.visible(lambda: maker.driver.read(handle) is not None, "the first read")

        state = maker.driver.read(handle)

        assert state is not None
        assert state.tags[TAG_RUN] == maker.owner.run
        assert state.tags[TAG_NAME] == "mine"

    def test_what_is_half_made_is_pending_or_ready(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")

        state = maker.driver.read(handle)

        assert state is None or state.status in (Status.PENDING, Status.READY)

    def test_reading_does_not_change_anything(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")
        first = maker.ready(handle)

        second = maker.ready(handle)

        assert (second.status, second.addresses, dict(second.tags)) == (
            first.status,
            first.addresses,
            dict(first.tags),
        )

    def test_a_state_is_plain_and_serialisable(self, maker: Maker) -> None:
        state = maker.ready(maker.make(maker.kind(), "mine"))

        again = state_from_json(json.loads(json.dumps(state_to_json(state), default=str)))

        assert again.status == state.status
        assert dict(again.tags) == dict(state.tags)

    def test_what_does_not_exist_reads_as_none(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")

        assert maker.driver.read(unknown_handle(handle)) is None

    def test_several_threads_may_read_at_once(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")
        maker.ready(handle)

        with ThreadPoolExecutor(4) as pool:
            states = list(pool.map(lambda _: maker.driver.read(handle), range(8)))

        assert [s.status for s in states if s is not None] == [Status.READY] * 8

    def test_closing_leaves_resources(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")
        maker.ready(handle)

        maker.driver.close()

        assert maker.ready(handle).status is Status.READY

    @pytest.mark.parametrize(
        "name", ["ünïcode-名前-🚀", "with space and / slash", "-dash-", "e\u0301", "x" * 200]
    )
    def test_an_odd_name_is_kept_or_refused(self, maker: Maker, name: str) -> None:
        kind = maker.kind()
        tags = Owner(run=maker.owner.run).tags(name)
        want = Resource(kind=kind, name=name, spec=maker.need(kind), tags=tags)
        try:
            step = maker.driver.plan(want)
            handle = maker.driver.create(step.bind(maker.made), f"odd-{abs(hash(name)):x}")
        except BadRequest:
            return  # refused in words is as good as kept

        state = maker.ready(handle)
        maker.remove(handle)

        assert handle.name == name
        assert state.tags[TAG_NAME] == name


class FindContract(MakerContract):
    def test_a_new_resource_is_found_within_the_declared_window(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")

        maker.visible(lambda: handle in maker.found(), f"{handle} to be found")

    def test_what_is_found_can_be_read_and_is_named(self, maker: Maker) -> None:
        made = maker.make(maker.kind(), "mine")
        maker.ready(made)
        maker.visible(lambda: made in maker.found(), "to be found")

        for handle in maker.found():
            assert handle.run == maker.owner.run
            assert handle.name
            assert maker.driver.read(handle) is not None

    def test_nothing_is_found_twice(self, maker: Maker) -> None:
        made = maker.make(maker.kind(), "mine")
        maker.visible(lambda: made in maker.found(), "to be found")

        found = [(h.kind, h.id) for h in maker.found()]

        assert len(found) == len(set(found))

    def test_another_owner_finds_nothing_of_ours(self, maker: Maker) -> None:
        made = maker.make(maker.kind(), "mine")
        maker.visible(lambda: made in maker.found(), "to be found")

        assert maker.found(Owner(run="nobody-at-all")) == []

    def test_without_a_run_everything_of_interop_is_found(self, maker: Maker) -> None:
        made = maker.make(maker.kind(), "mine")

        maker.visible(lambda: made in maker.found(Owner()), "to be found among all")


class DeleteContract(MakerContract):
    def test_what_is_deleted_is_gone_and_stays_gone(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")
        maker.ready(handle)

        maker.remove(handle)

        assert maker.driver.read(handle) is None

    def test_deleting_twice_is_no_error(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")
        maker.ready(handle)

        maker.driver.delete(handle)
        maker.driver.delete(handle)
        maker.remove(handle)
        maker.driver.delete(handle)

    def test_deleting_what_never_was_is_no_error(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")

        maker.driver.delete(unknown_handle(handle))

        assert maker.ready(handle).status is Status.READY

    def test_what_is_half_made_can_be_deleted(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")

        maker.remove(handle)

        assert maker.driver.read(handle) is None

    def test_a_name_can_be_used_again(self, maker: Maker) -> None:
        first = maker.make(maker.kind(), "mine")
        maker.ready(first)
        maker.remove(first)

        second = maker.make(maker.kind(), "mine")

        assert maker.ready(second).status is Status.READY

    def test_what_is_in_use_is_refused_or_detached(self, maker: Maker) -> None:
        maker.need(Kind.ATTACHMENT)
        joined = maker.make(Kind.ATTACHMENT, "joined")
        maker.ready(joined)
        what = next(h for r, h in maker.made.items() if r.kind in (Kind.VOLUME, Kind.ADDRESS))

        try:
            maker.driver.delete(what)
        except Conflict:
            assert maker.ready(what).status is Status.READY
        except PlatformError as error:
            pytest.fail(f"expected Conflict or success, got {error!r}")
