"""Buckets: Swift's containers, where the catalog has an object store, and the objects in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from provisioner.driver import TAG_NAME, TAG_RUN, Handle, Owner, State, Status, Step
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.errors import from_answer
from provisioner.drivers.openstack.owning import (
    MARK,
    belongs,
    digest,
    full_tags,
    handle,
)
from provisioner.errors import BadRequest, NotFound
from provisioner.resources import BucketSpec, Kind, Resource

STORE = "object-store"
TAG = "x-container-meta-"  # a header per tag; names of headers have no case
KEY = re.compile(r"[a-z0-9-]{1,128}")
VALUE_BYTES = 256  # encoded; source: Swift, /info, max_meta_value_length
PUBLIC = ".r:*"  # anybody may read objects, nobody may list them; source: Swift, "Container ACLs"


class Buckets:
    """Containers. The name is known before the call, so a create is repeatable by nature."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def plan(self, want: Resource) -> Step:
        spec = want.spec
        if not isinstance(spec, BucketSpec):
            message = f"{want.ref}: expected a bucket's specification"
            raise BadRequest(message, self._cloud.platform)
        self.headers({TAG_NAME: want.name, **want.tags}, str(want.ref))
        return Step(
            platform=self._cloud.platform,
            resource=want,
            body={"public": spec.public},
            wait_s=60.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        tags = full_tags(step.resource, token)
        name = f"{MARK}-{digest(tags.get(TAG_RUN, ''), 12)}-{digest(token, 16)}"
        headers = self.headers(tags, str(step.resource.ref))
        if step.body["public"]:
            headers["X-Container-Read"] = PUBLIC
        self.send(f"create {step.resource.ref}", "PUT", at(name), headers=headers)
        return handle(self._cloud.platform, Kind.BUCKET, name, tags)

    def headers(self, tags: Mapping[str, str], what: str) -> dict[str, str]:
        """Tags as headers. Raises BadRequest for what a header cannot hold."""
        made = {}
        for key, value in tags.items():
            coded = quote(value)
            if not KEY.fullmatch(key):
                message = f"{what}: tag {key!r}: expected small letters, digits and hyphens"
                raise BadRequest(message, self._cloud.platform)
            if not value or len(coded) > VALUE_BYTES:
                message = f"{what}: tag {key}: {len(coded)} bytes encoded, 1 to {VALUE_BYTES}"
                raise BadRequest(message, self._cloud.platform)
            made[TAG + key] = coded
        return made

    def send(self, what: str, method: str, path: str, **options: Any) -> Any:
        """One call that must succeed; the answer, whose headers matter here."""
        answer = self._cloud.send(what, STORE, method, path, **options)
        if answer.status_code >= 400:
            raise from_answer(answer, self._cloud.platform, what)
        return answer

    def read(self, handle: Handle) -> State | None:
        try:
            answer = self.send(f"read {handle}", "HEAD", at(handle.id))
        except NotFound:
            return None
        raw = {k: v for k, v in answer.headers.items() if k.lower().startswith("x-container-")}
        return State(
            status=Status.READY,
            tags=_tags(answer.headers),
            facts={"name": handle.id, "region": self._cloud.region},
            raw=raw,
        )

    def delete(self, handle: Handle) -> None:
        """The container with all objects in it."""
        what = f"delete {handle}"
        with suppress(NotFound):
            for name in self.names(handle.id):
                with suppress(NotFound):
                    self.send(what, "DELETE", at(handle.id, name))
            self.send(what, "DELETE", at(handle.id))

    def names(self, bucket: str, page_size: int = 0) -> Iterator[str]:
        """Names of the objects in a container, asked for page by page."""
        yield from self._listed(at(bucket), page_size)

    def _listed(self, path: str, page_size: int = 0, prefix: str = "") -> Iterator[str]:
        query: dict[str, Any] = {"format": "json"}
        if prefix:
            query["prefix"] = prefix
        if page_size:
            query["limit"] = page_size
        while True:
            answer = self.send("list objects", "GET", path, query=query)
            page = [str(item["name"]) for item in (answer.json() if answer.content else [])]
            yield from page
            if not page:
                return
            query["marker"] = page[-1]

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Containers by the beginning of their name, then by what they say."""
        start = f"{MARK}-" if owner.run is None else f"{MARK}-{digest(owner.run, 12)}-"
        for name in self._listed("", prefix=start):
            with suppress(NotFound):
                tags = _tags(self.send("find buckets", "HEAD", at(name)).headers)
                if belongs(tags, owner):
                    yield handle(self._cloud.platform, Kind.BUCKET, name, tags)


class BucketObjects:
    """The Objects feature of a bucket."""

    def __init__(self, buckets: Buckets, name: str) -> None:
        self._buckets = buckets
        self._name = name

    def put(self, key: str, data: bytes) -> None:
        kind = {"Content-Type": "application/octet-stream"}
        self._buckets.send(f"put {key!r}", "PUT", at(self._name, key), data=data, headers=kind)

    def get(self, key: str) -> bytes:
        content: bytes = self._buckets.send(f"get {key!r}", "GET", at(self._name, key)).content
        return content

    def keys(self, page_size: int = 0) -> Sequence[str]:
        return list(self._buckets.names(self._name, page_size))

    def delete(self, key: str) -> None:
        with suppress(NotFound):
            self._buckets.send(f"delete {key!r}", "DELETE", at(self._name, key))


class BucketTags:
    """The Metadata feature of a bucket."""

    def __init__(self, buckets: Buckets, handle: Handle) -> None:
        self._buckets = buckets
        self._handle = handle

    def update_tags(self, tags: Mapping[str, str]) -> None:
        headers = self._buckets.headers(tags, f"tag {self._handle}")
        self._buckets.send(f"tag {self._handle}", "POST", at(self._handle.id), headers=headers)


def _tags(headers: Mapping[str, str]) -> dict[str, str]:
    """Tags as a container's headers tell them."""
    found = {name.lower(): value for name, value in headers.items()}
    return {
        name.removeprefix(TAG): unquote(value)
        for name, value in found.items()
        if name.startswith(TAG)
    }
