"""Keys: EC2 key pairs, imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from provisioner.driver import Handle, Owner, State, Status, Step
from provisioner.drivers.aws.account import (
    Account,
    full_tags,
    label,
    owned,
    plain,
    tagged,
    tags_of,
)
from provisioner.errors import BadRequest, Conflict, NotFound
from provisioner.resources import KeySpec, Kind, Resource


class Keys:
    """Key pairs, imported; the name is known before the call."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._account.platform
        if not isinstance(spec, KeySpec):
            raise BadRequest(f"{want.ref}: expected a key's specification", platform)
        words = spec.public_key.split()
        # Source: EC2 user guide, "key pairs": RSA and ED25519.
        if len(words) < 2 or words[0] not in ("ssh-rsa", "ssh-ed25519"):
            message = f"{want.ref}: public key: expected ssh-ed25519 or ssh-rsa in OpenSSH format"
            raise BadRequest(message, platform)
        self._account.check_tags(want)
        body = {"public_key": " ".join(words[:2])}
        return Step(platform=platform, resource=want, body=body, wait_s=30.0)

    def create(self, step: Step, token: str) -> Handle:
        account, tags = self._account, full_tags(step.resource, token)
        name = label(token, step.resource.name)
        try:
            account.call(
                f"create {step.resource.ref}",
                "import_key_pair",
                KeyName=name,
                PublicKeyMaterial=step.body["public_key"].encode(),
                TagSpecifications=tagged("key-pair", tags),
            )
        except Conflict:
            earlier = account.made_by(token, "a key", "describe_key_pairs", "KeyPairs")
            if earlier is None:
                raise
        return account.handle(Kind.KEY, name, tags)

    def read(self, handle: Handle) -> State | None:
        try:
            answer = self._account.call(
                f"read {handle}", "describe_key_pairs", KeyNames=[handle.id]
            )
        except NotFound:
            return None
        item = answer["KeyPairs"][0]
        facts = {"fingerprint": item.get("KeyFingerprint", "")}
        return State(status=Status.READY, tags=tags_of(item), facts=facts, raw=plain(item))

    def delete(self, handle: Handle) -> None:
        # Deleting a name that is not there is no error at EC2.
        with suppress(NotFound):
            self._account.call(f"delete {handle}", "delete_key_pair", KeyName=handle.id)

    def find(self, owner: Owner) -> Iterator[Handle]:
        for item in self._account.each(
            "find keys", "describe_key_pairs", "KeyPairs", Filters=owned(owner)
        ):
            yield self._account.handle(Kind.KEY, item["KeyName"], tags_of(item))
