"""Buckets of S3 and the objects in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from provisioner.driver import TAG_RUN, Handle, Owner, State, Status, Step
from provisioner.drivers.aws.account import Account, full_tags, plain, tag_list, tags_of
from provisioner.drivers.aws.errors import translated
from provisioner.errors import BadRequest, Conflict, NotFound
from provisioner.resources import BucketSpec, Kind, Resource

PREFIX = "interop-"
BATCH = 1000  # keys in one delete call; source: S3 API reference, DeleteObjects


def _short(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def bucket_name(run: str, token: str) -> str:
    """The bucket's name. Its beginning tells the run, even before the bucket has tags."""
    return f"{PREFIX}{_short(run, 12)}-{_short(token, 16)}"


class Buckets:
    """Buckets. The name is known before the call, so a create is repeatable by nature."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def call(self, what: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """One S3 call; what it does may be repeated."""
        with translated(self._account.platform, what):
            answer: dict[str, Any] = getattr(self._account.clients.s3, operation)(**parameters)
        return answer

    def plan(self, want: Resource) -> Step:
        spec = want.spec
        if not isinstance(spec, BucketSpec):
            message = f"{want.ref}: expected a bucket's specification"
            raise BadRequest(message, self._account.platform)
        self._account.check_tags(want)
        return Step(
            platform=self._account.platform,
            resource=want,
            body={"public": spec.public},
            wait_s=60.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        want, tags = step.resource, full_tags(step.resource, token)
        name = bucket_name(want.tags.get(TAG_RUN, ""), token)
        what = f"create {want.ref}"
        region = self._account.clients.region
        place: dict[str, Any] = {}
        if region != "us-east-1":  # the one region that must not be named
            place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self.call(what, "create_bucket", Bucket=name, **place)
        except Conflict as error:
            if "OwnedByYou" not in str(error):
                raise
        # S3 has no tags in the create call; until here the name alone says whose it is.
        self.call(what, "put_bucket_tagging", Bucket=name, Tagging={"TagSet": tag_list(tags)})
        if step.body["public"]:
            self._open_to_all(name, what)
        return self._account.handle(Kind.BUCKET, name, tags)

    def _open_to_all(self, name: str, what: str) -> None:
        self.call(what, "delete_public_access_block", Bucket=name)
        grant = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{name}/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [grant]})
        self.call(what, "put_bucket_policy", Bucket=name, Policy=policy)

    def read(self, handle: Handle) -> State | None:
        try:
            head = self.call(f"read {handle}", "head_bucket", Bucket=handle.id)
        except NotFound:
            return None
        tags = self._tags(handle.id)
        return State(
            status=Status.READY if tags else Status.PENDING,
            tags=tags,
            facts={"name": handle.id, "region": head.get("BucketRegion", "")},
            raw=plain(head),
        )

    def _tags(self, name: str) -> dict[str, str]:
        try:
            return tags_of(self.call("read tags", "get_bucket_tagging", Bucket=name), "TagSet")
        except NotFound:
            return {}

    def delete(self, handle: Handle) -> None:
        """The bucket with all objects in it, old versions and unfinished uploads too."""
        what = f"delete {handle}"
        with suppress(NotFound):
            self._empty(handle.id, what)
            self.call(what, "delete_bucket", Bucket=handle.id)

    def _empty(self, name: str, what: str) -> None:
        uploads = self.call(what, "list_multipart_uploads", Bucket=name).get("Uploads") or ()
        for upload in uploads:
            self.call(
                what,
                "abort_multipart_upload",
                Bucket=name,
                Key=upload["Key"],
                UploadId=upload["UploadId"],
            )
        while True:
            page = self.call(what, "list_object_versions", Bucket=name, MaxKeys=BATCH)
            found = [*(page.get("Versions") or ()), *(page.get("DeleteMarkers") or ())]
            if not found:
                return
            objects = [{"Key": f["Key"], "VersionId": f["VersionId"]} for f in found]
            answer = self.call(
                what, "delete_objects", Bucket=name, Delete={"Objects": objects, "Quiet": True}
            )
            if answer.get("Errors"):
                first = answer["Errors"][0]
                message = f"cannot {what}: object {first.get('Key')!r}: {first.get('Code')}"
                raise Conflict(message, self._account.platform)

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Buckets by the beginning of their name, tagged already or not."""
        start = PREFIX if owner.run is None else f"{PREFIX}{_short(owner.run, 12)}-"
        for item in self.call("find buckets", "list_buckets").get("Buckets") or ():
            if not item["Name"].startswith(start):
                continue
            tags = self._tags(item["Name"])
            if owner.run is not None and tags.get(TAG_RUN, owner.run) != owner.run:
                continue
            if owner.run is None and TAG_RUN not in tags:
                continue  # somebody else's bucket may begin like ours
            named = {TAG_RUN: owner.run or "", **tags}
            yield self._account.handle(Kind.BUCKET, item["Name"], named)


class BucketObjects:
    """The Objects feature of a bucket."""

    def __init__(self, buckets: Buckets, name: str) -> None:
        self._buckets = buckets
        self._name = name

    def put(self, key: str, data: bytes) -> None:
        self._buckets.call(f"put {key!r}", "put_object", Bucket=self._name, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        with translated(self._buckets._account.platform, f"get {key!r}"):
            answer = self._buckets._account.clients.s3.get_object(Bucket=self._name, Key=key)
            data: bytes = answer["Body"].read()
        return data

    def keys(self, page_size: int = 0) -> Sequence[str]:
        """All keys, asked for *page_size* at a time (0: as the platform likes)."""
        found: list[str] = []
        parameters: dict[str, Any] = {"MaxKeys": page_size} if page_size else {}
        while True:
            page = self._buckets.call(
                "list objects", "list_objects_v2", Bucket=self._name, **parameters
            )
            found += [item["Key"] for item in page.get("Contents") or ()]
            if not page.get("IsTruncated"):
                return found
            parameters["ContinuationToken"] = page["NextContinuationToken"]

    def delete(self, key: str) -> None:
        self._buckets.call(f"delete {key!r}", "delete_object", Bucket=self._name, Key=key)
