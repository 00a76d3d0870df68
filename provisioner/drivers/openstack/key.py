"""Keys: nova's key pairs, imported. They belong to the user, not to the project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from provisioner.driver import TAG_RUN, Handle, Owner, State, Status, Step
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.owning import (
    MARK,
    belongs,
    commented,
    digest,
    full_tags,
    handle,
    key_comment,
)
from provisioner.errors import BadRequest, Conflict, NotFound
from provisioner.resources import KeySpec, Kind, Resource

PAGED = "2.35"  # the first microversion whose list of keys has pages


def key_name(run: str, token: str) -> str:
    """The name, known before the call; its beginning tells the run, should the comment be lost."""
    return f"{MARK}-{digest(run, 12)}-{digest(token, 16)}"


class Keys:
    """Key pairs."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._cloud.platform
        if not isinstance(spec, KeySpec):
            raise BadRequest(f"{want.ref}: expected a key's specification", platform)
        words = spec.public_key.split()
        if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-sha2-", "sk-")):
            message = f"{want.ref}: public key: expected the OpenSSH format"
            raise BadRequest(message, platform)
        body = {"public_key": " ".join(words[:2])}
        return Step(platform=platform, resource=want, body=body, wait_s=30.0)

    def create(self, step: Step, token: str) -> Handle:
        tags = full_tags(step.resource, token)
        name = key_name(tags.get(TAG_RUN, ""), token)
        public_key = f"{step.body['public_key']} {key_comment(tags)}"
        try:
            self._cloud.call(
                f"create {step.resource.ref}",
                "compute",
                "POST",
                "/os-keypairs",
                body={"keypair": {"name": name, "public_key": public_key}},
                microversion=self._cloud.newest("compute", "2.1"),
            )
        except Conflict:
            earlier = self.read(handle(self._cloud.platform, Kind.KEY, name, tags))
            if earlier is None or dict(earlier.tags) != tags:
                raise
        return handle(self._cloud.platform, Kind.KEY, name, tags)

    def read(self, handle: Handle) -> State | None:
        item = self._cloud.one(
            f"read {handle}", "compute", f"/os-keypairs{at(handle.id)}", "keypair"
        )
        if item is None:
            return None
        facts = {"fingerprint": item.get("fingerprint", "")}
        tags = commented(item.get("public_key", ""))
        return State(status=Status.READY, tags=tags, facts=facts, raw=item)

    def delete(self, handle: Handle) -> None:
        with suppress(NotFound):
            self._cloud.call(
                f"delete {handle}", "compute", "DELETE", f"/os-keypairs{at(handle.id)}"
            )

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Keys by the comment, or by the beginning of the name where the cloud cut the comment."""
        start = f"{MARK}-{digest(owner.run, 12)}-" if owner.run is not None else ""
        newest = self._cloud.newest("compute", PAGED)
        for item in self._cloud.each(
            "find keys", "compute", "/os-keypairs", "keypairs", microversion=newest
        ):
            pair = item["keypair"]
            tags = commented(pair.get("public_key", ""))
            if not tags and start and pair["name"].startswith(start):
                tags = {TAG_RUN: owner.run or ""}
            if belongs(tags, owner):
                yield handle(self._cloud.platform, Kind.KEY, pair["name"], tags)
