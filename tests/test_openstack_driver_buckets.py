"""Buckets of the OpenStack driver, on a double that speaks as Swift documents (no lab has one)."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

pytest.importorskip("openstack", reason="openstacksdk is not installed (extra openstack)")

from provisioner.driver import TAG_NAME, TAG_RUN, Owner
from provisioner.drivers.openstack.bucket import BucketObjects, Buckets, BucketTags
from provisioner.drivers.openstack.cloud import Cloud
from provisioner.drivers.openstack.settings import Settings
from provisioner.errors import BadRequest, NotFound
from provisioner.resources import BucketSpec, Kind, Resource

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
META, READ = "x-container-meta-", "x-container-read"
ROOT = "/v1/AUTH_p"
PAGE = 3  # Swift's own is 10,000


class Swift(http.server.BaseHTTPRequestHandler):
    """Containers and objects in memory. Source: Object Storage API v1."""

    store: dict[str, tuple[dict[str, str], dict[str, bytes]]]
    protocol_version = "HTTP/1.1"

    def _do(self) -> None:
        url = urlsplit(self.path)
        parts = [unquote(p) for p in url.path.removeprefix(ROOT).strip("/").split("/", 1) if p]
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.command == "GET" and len(parts) < 2:
            self._list(parts, query)
        elif len(parts) == 1:
            self._container(parts[0])
        else:
            self._object(parts[0], parts[1], data)

    def _list(self, parts: list[str], query: dict[str, str]) -> None:
        if parts and parts[0] not in self.store:
            self._say(404)
            return
        names = sorted(self.store[parts[0]][1] if parts else self.store)
        after, prefix = query.get("marker", ""), query.get("prefix", "")
        fitting = [n for n in names if n > after and n.startswith(prefix)]
        page = fitting[: min(PAGE, int(query.get("limit", PAGE)))]
        self._say(200, json.dumps([{"name": n} for n in page]).encode())

    def _container(self, name: str) -> None:
        told = {k.lower(): v for k, v in self.headers.items()}
        meta = {k: v for k, v in told.items() if k.startswith(META) or k == READ}
        if self.command == "PUT":
            self.store.setdefault(name, ({}, {}))[0].update(meta)
            self._say(201)
        elif name not in self.store:
            self._say(404)
        elif self.command == "POST":
            self.store[name][0].update(meta)
            self._say(204)
        elif self.command == "HEAD":
            self._say(204, headers=self.store[name][0])
        elif self.store[name][1]:
            self._say(409)
        else:
            del self.store[name]
            self._say(204)

    def _object(self, container: str, name: str, data: bytes) -> None:
        objects = self.store.get(container, ({}, {}))[1]
        if self.command == "PUT":
            objects[name] = data
            self._say(201)
        elif name not in objects:
            self._say(404)
        elif self.command == "DELETE":
            del objects[name]
            self._say(204)
        else:
            self._say(200, objects[name])

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _do  # noqa: N815 - http.server's names

    def _say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name.title(), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def buckets(tmp_path: Path) -> Iterator[Buckets]:
    handler = type("Handler", (Swift,), {"store": {}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}{ROOT}"
    file = tmp_path / "clouds.yaml"
    one = {"auth_type": "none", "auth": {"endpoint": url}, "object_store_endpoint_override": url}
    file.write_text(json.dumps({"clouds": {"one": one}}))
    cloud = Cloud("cloud", Settings(cloud="one", config_file=file))
    try:
        yield Buckets(cloud)
    finally:
        cloud.close()
        server.shutdown()
        server.server_close()
        thread.join(5)


def want(name: str = "data", *, public: bool = False, **tags: str) -> Resource:
    own = {TAG_RUN: "r", TAG_NAME: name, **tags}
    return Resource(kind=Kind.BUCKET, name=name, spec=BucketSpec(public=public), tags=own)


def made(buckets: Buckets, name: str = "data", **more: Any) -> Any:
    return buckets.create(buckets.plan(want(name, **more)), f"token of {name}")


def test_a_bucket_is_found_by_its_owner_alone_and_made_once(buckets: Buckets) -> None:
    first = made(buckets, "düta 🙂")
    state = buckets.read(first)

    assert made(buckets, "düta 🙂") == first
    assert state is not None
    assert state.tags[TAG_NAME] == "düta 🙂"
    assert list(buckets.find(Owner(run="r"))) == [first]
    assert list(buckets.find(Owner())) == [first]
    assert list(buckets.find(Owner(run="other"))) == []


@pytest.mark.parametrize("page_size", [0, 1, 2, 9])
def test_objects_come_back_in_pages_of_any_size(buckets: Buckets, page_size: int) -> None:
    objects = BucketObjects(buckets, made(buckets).id)
    names = sorted(["a/ü.bin", "b", "c?d", "e#f", "g/h/i", "%2F", "x y"])
    for name in names:
        objects.put(name, bytes(range(256)))

    assert list(objects.keys(page_size)) == names
    assert objects.get("a/ü.bin") == bytes(range(256))


def test_a_bucket_goes_with_what_is_in_it_and_going_twice_is_no_error(buckets: Buckets) -> None:
    bucket = made(buckets)
    objects = BucketObjects(buckets, bucket.id)
    for number in range(2 * PAGE + 1):
        objects.put(str(number), b"x")

    buckets.delete(bucket)
    buckets.delete(bucket)

    assert buckets.read(bucket) is None
    objects.delete("0")
    with pytest.raises(NotFound):
        objects.get("0")


def test_tags_are_added_and_overwritten(buckets: Buckets) -> None:
    bucket = made(buckets)

    BucketTags(buckets, bucket).update_tags({"colour": "blue"})
    BucketTags(buckets, bucket).update_tags({"colour": "grün"})
    state = buckets.read(bucket)

    assert state is not None
    assert (state.tags["colour"], state.tags[TAG_NAME]) == ("grün", "data")


def test_public_means_that_anybody_reads_objects(buckets: Buckets) -> None:
    shut, open_ = buckets.read(made(buckets, "a")), buckets.read(made(buckets, "b", public=True))

    assert shut is not None
    assert open_ is not None
    assert [state.raw.get("X-Container-Read") for state in (shut, open_)] == [None, ".r:*"]


@pytest.mark.parametrize("tags", [{"Upper": "x"}, {"a": ""}, {"a": "ü" * 50}])
def test_a_tag_that_no_header_holds_is_refused(buckets: Buckets, tags: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        buckets.plan(want("data", public=False, **tags))
