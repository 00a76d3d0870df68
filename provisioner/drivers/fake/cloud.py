"""The fake cloud: an API over a store of things, with latency, limits and faults.

Like any cloud it knows nothing of drivers: it answers calls or raises ``ApiError`` with a status,
a code and a request id. Nothing moves by itself: every answer is computed from times that were
drawn when a thing was made, so that a killed process changes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from provisioner.clock import Clock, SystemClock
from provisioner.drivers.fake.faults import Faults
from provisioner.drivers.fake.rules import IDS, PREFIX, ApiError, as_stored, check_name, check_tags
from provisioner.drivers.fake.settings import PASSWORD, Settings
from provisioner.drivers.fake.things import Store, Thing, World
from provisioner.errors import Lost


class Cloud:
    """One fake cloud. Safe to use from several threads, and with a file from several processes.

    Args:
        name: of the platform, for ids and messages.
        settings: how it behaves.
        store: what exists.
        clock: where time comes from.
        faults: what goes wrong; None takes none.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        store: Store,
        clock: Clock | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.store = store
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.faults = faults if faults is not None else Faults(platform=name)
        self.defects = frozenset(settings.defects)
        self.calls = 0
        self._recent: list[float] = []
        self._dice = random.Random(f"{settings.seed}/{name}")  # noqa: S311 - simulation

    # -- calls ---------------------------------------------------------------------------------

    def create(
        self,
        kind: str,
        name: str,
        spec: Mapping[str, Any],
        tags: Mapping[str, str],
        token: str = "",
        prepare: Callable[[World, Thing], None] | None = None,
    ) -> Thing:
        """Make one thing, at most one per token. *prepare* completes it before it is kept."""
        self._enter()
        twice = self.faults.reach("create", kind, "before")
        check_name(name)
        check_tags(tags)
        thing = self._make(kind, name, spec, tags, token, prepare)
        if twice:
            thing = self._make(kind, name, spec, tags, token, prepare)
        self.faults.reach("create", kind, "after")
        return thing

    def read(self, kind: str, thing_id: str) -> Thing:
        """One thing. 404 while it is not visible, and once it is gone."""
        self._enter()
        self.faults.reach("read", kind, "before")
        now = self.now()
        with self.store.session() as world:
            thing = self._get(world, kind, thing_id)
            thing.reads += 1
            world.changed = world.changed or "P10" in self.defects
            forgotten = "P10" in self.defects and kind == "key" and thing.reads == 6
            if now < thing.visible_at or forgotten or self._flap():
                world.changed = True
                raise ApiError(404, "NotFound", f"no {kind} {thing_id}")
        self.faults.reach("read", kind, "after")
        return thing

    def delete(self, kind: str, thing_id: str) -> None:
        """Begin to delete a thing; 404 when it is gone, 409 while something uses it."""
        self._enter()
        self.faults.reach("delete", kind, "before")
        now = self.now()
        with self.store.session() as world:
            known = world.things.get(thing_id)
            again = known is not None and known.deleting_at is not None and not known.failed
            if "P5" in self.defects and kind == "key" and known is not None and again:
                known.failed, world.changed = "deleted twice", True
                raise ApiError(500, "InternalError", f"cannot delete {thing_id}")
            thing = self._get(world, kind, thing_id)
            users = self._users(world, thing)
            if users:
                raise ApiError(409, "InUse", f"{kind} {thing_id} is used by {users[0].id}")
            if thing.deleting_at is None:
                self._take_down(world, thing, now)
            world.changed = True
        self.faults.reach("delete", kind, "after")

    def list(
        self,
        kind: str,
        size: int = 0,
        marker: str = "",
        filters: Mapping[str, str] | None = None,
    ) -> tuple[list[Thing], str]:
        """One page of things in creation order and the marker of the next page."""
        self._enter()
        self.faults.reach("list", kind, "before")
        if size < 0 or size > 1000:
            raise ApiError(400, "InvalidParameter", f"size is {size}, expected 0 to 1000")
        now = self.now()
        with self.store.session() as world:
            seen = [
                thing
                for thing in world.of_kind(kind)
                if thing.exists(now) and now >= thing.listed_at and not self._flap()
            ]
            if marker:
                known = world.things.get(marker)
                if known is None or known.kind != kind:
                    raise ApiError(400, "InvalidMarker", f"{marker!r} is no marker of a {kind}")
                seen = [thing for thing in seen if thing.serial > known.serial]
        if "P2" in self.defects and seen and not marker and not filters:
            seen = seen[1:]  # forgets the oldest
        for key, value in (filters or {}).items():
            seen = [t for t in seen if (t.name if key == "name" else t.tags.get(key)) == value]
        self.faults.reach("list", kind, "after")
        if not size or len(seen) <= size:
            return seen, ""
        page = seen[:size]
        if "P3" in self.defects and len(page) > 1:
            return page, seen[size - 2].id  # the last of a page comes again on the next
        return page, page[-1].id

    def tag(self, kind: str, thing_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a thing that exists; others stay."""
        self._enter()
        self.faults.reach("tag", kind, "before")
        check_tags(tags)
        tags = {key: as_stored(value, self.defects) for key, value in tags.items()}
        with self.store.session() as world:
            thing = self._get(world, kind, thing_id)
            merged = {**thing.tags, **tags}
            check_tags(merged)
            thing.tags = merged
            thing.version += 1
            world.changed = True
        self.faults.reach("tag", kind, "after")

    def offers(self, what: str) -> Mapping[str, Mapping[str, Any]]:
        """The images or sizes one may choose from."""
        self._enter()
        return self.settings.images if what == "image" else self.settings.sizes

    # -- for drivers' features and the model of the guest --------------------------------------

    def now(self) -> float:
        """The true time, epoch seconds."""
        return self.clock.time()

    def told_time(self) -> float:
        """The time as the API and the machines tell it."""
        return self.now() + self.settings.skew_s

    def require(self, world: World, kind: str, thing_id: str) -> Thing:
        """A thing that exists, visible or not. Raises ApiError 400 or 404."""
        return self._get(world, kind, thing_id)

    def enter(self) -> None:
        """Count a call of a feature as one of the API's: login, rate, duration."""
        self._enter()

    def attachments(self, world: World, machine_id: str) -> Sequence[Thing]:
        """What is attached to a machine, in the order it was."""
        now = self.now()
        return [
            t
            for t in world.of_kind("attachment")
            if t.spec.get("machine") == machine_id and t.exists(now) and t.deleting_at is None
        ]

    # -- inside --------------------------------------------------------------------------------

    def _enter(self) -> None:
        """What every call pays: reachability, login, the rate limit, its duration."""
        settings = self.settings
        self.clock.sleep(settings.call_s)
        self.calls += 1
        if not settings.reachable:
            raise Lost("the API does not answer", self.name)
        if settings.credential != PASSWORD:
            raise ApiError(401, "AuthFailure", "the credential is not accepted")
        if settings.rate > 0:
            now = self.clock.monotonic()
            self._recent = [t for t in self._recent if now - t < 1.0]
            if len(self._recent) >= settings.rate:
                wait = 1.0 - (now - self._recent[0])
                raise ApiError(429, "RequestLimitExceeded", "too many calls", retry_after=wait)
            self._recent.append(now)

    def _flap(self) -> bool:
        return self.settings.flaps > 0 and self._dice.random() < self.settings.flaps

    def _get(self, world: World, kind: str, thing_id: str) -> Thing:
        if not IDS.fullmatch(thing_id):
            raise ApiError(400, "InvalidId", f"{thing_id!r} is no id of a {kind}")
        thing = world.things.get(thing_id)
        if thing is None or thing.kind != kind or not thing.exists(self.now()):
            raise ApiError(404, "NotFound", f"no {kind} {thing_id}")
        return thing

    def _make(
        self,
        kind: str,
        name: str,
        spec: Mapping[str, Any],
        tags: Mapping[str, str],
        token: str,
        prepare: Callable[[World, Thing], None] | None,
    ) -> Thing:
        settings, now = self.settings, self.now()
        with self.store.session() as world:
            living = [t for t in world.of_kind(kind) if t.exists(now) and not t.parent]
            if token and settings.tokens:
                for other in world.of_kind(kind):
                    if other.token != token:
                        continue
                    if other.spec != dict(spec) or other.name != name or not other.exists(now):
                        raise ApiError(409, "TokenMismatch", f"token used for {other.id}")
                    return other
            if kind in ("key", "bucket") and any(t.name == name for t in living):
                raise ApiError(409, "Duplicate", f"there is a {kind} named {name!r}")
            if len(living) >= settings.quotas.get(kind, 1 << 30):
                raise ApiError(403, "QuotaExceeded", f"quota of {len(living)} {kind}s reached")
            if len(living) >= settings.capacity.get(kind, 1 << 30):
                raise ApiError(503, "InsufficientCapacity", f"no room for another {kind}")
            world.serial += 1
            dice = random.Random(f"{settings.seed}/{token}/{kind}/{name}")  # noqa: S311
            latency = settings.latency.get(kind) or settings.latency.get("default") or (0, 0)
            thing = Thing(
                id=f"{PREFIX[kind]}-{world.serial:08x}",
                kind=kind,
                name=as_stored(name, self.defects),
                serial=world.serial,
                token=token,
                tags={k: as_stored(v, self.defects) for k, v in tags.items()},
                spec=dict(spec),
                created_at=now,
                visible_at=now + settings.visible_s,
                listed_at=now + max(settings.visible_s, settings.list_s),
                ready_at=now + dice.uniform(*latency),
                failed=f"no {kind} could be made" if kind in settings.fails else "",
            )
            if prepare is not None:
                prepare(world, thing)
            world.things[thing.id] = thing
            world.changed = True
        return thing

    def _users(self, world: World, thing: Thing) -> Sequence[Thing]:
        """What keeps a thing from being deleted."""
        now = self.now()
        users = []
        for other in world.things.values():
            if not other.exists(now) or other.id == thing.id or other.parent == thing.id:
                continue
            spec = other.spec
            held = [spec.get("network"), *spec.get("firewalls", ()), spec.get("what")]
            if thing.kind in ("network", "firewall", "volume", "address") and thing.id in held:
                users.append(other)
        return users

    def _take_down(self, world: World, thing: Thing, now: float) -> None:
        """Begin to delete, with everything the thing brought along."""
        wait = self.settings.delete_s.get(thing.kind) or self.settings.delete_s.get("default")
        dice = random.Random(f"delete/{self.settings.seed}/{thing.id}")  # noqa: S311
        thing.deleting_at = now
        thing.gone_at = now + (dice.uniform(*wait) if wait else 0.0)
        thing.version += 1
        for other in world.things.values():
            if not other.exists(now) or other.deleting_at is not None:
                continue
            brought = other.parent == thing.id and "volume-outlives-machine" not in self.defects
            joined = thing.kind == "machine" and other.spec.get("machine") == thing.id
            if brought or (joined and other.kind == "attachment"):
                other.deleting_at, other.gone_at = now, thing.gone_at
