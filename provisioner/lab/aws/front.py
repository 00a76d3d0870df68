"""The API's front: lets moto answer, and makes the answer true of the guests.

moto says ``running`` the moment it was asked, and knows no console. Here an instance is pending
until its guest is up, its status is its guest's health, its console is what its guest printed; and
a call that changes what a guest sees returns when the guest sees it.
"""

from __future__ import annotations

import base64
import io
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from provisioner.lab.aws import manners, wire
from provisioner.lab.aws.catalog import ROOT_GIB
from provisioner.lab.aws.signing import Signer

LOG = logging.getLogger(__name__)
USER_DATA_MAX = 16384  # Source: EC2 user guide, "Run commands at launch": 16 KB before encoding
READING = ("Describe", "Get", "List")  # actions that change nothing
HELD = frozenset({
    "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress",
    "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress", "ModifySecurityGroupRules",
    "AssociateAddress", "DisassociateAddress", "ReleaseAddress", "CreateSnapshot",
    "ModifyInstanceAttribute", "ModifyNetworkInterfaceAttribute",
    "ModifyInstanceMetadataOptions", "CreateRoute", "DeleteRoute", "AssociateRouteTable",
})  # fmt: skip
HELD_S = 5.0
VOLUME_CALLS = frozenset({"AttachVolume", "DetachVolume"})
COMPLETED = frozenset({"AllocateAddress", "DetachVolume"})
# moto's other public addresses are 54.214.0.0 to 54.214.254.254
ELASTIC = tuple(f"54.214.255.{n}" for n in range(1, 255))
ONCE = frozenset({"RunInstances", "CreateVolume"})  # those whose ClientToken we honour
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64,
          "stopped": 80}  # fmt: skip
FORM = "x-www-form-urlencoded"

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]


class Truth(Protocol):
    """What the front needs to know of the guests."""

    def state(self, instance: str, told: str) -> str: ...
    def health(self, instance: str) -> str: ...
    def console(self, instance: str) -> tuple[bytes, float]: ...
    def wake(self) -> None: ...
    def settle(self, timeout_s: float) -> bool: ...
    def settle_volumes(self, timeout_s: float) -> None: ...
    def stop_hard(self, instance: str) -> None: ...
    def reboot(self, instance: str) -> None: ...


@dataclass(slots=True, kw_only=True)
class Answer:
    """An HTTP answer on its way out."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the call succeeded."""
        return self.status.startswith("2")


class Front:
    """WSGI middleware around moto.

    Args:
        application: moto.
        truth: the guests.
        ask: makes a call of our own with all rights; action and fields to the answer's body.
        signer: tells whether a request may be completed or answered by us.
    """

    def __init__(
        self,
        application: Application,
        truth: Truth,
        ask: Callable[[Mapping[str, str]], bytes],
        signer: Signer,
    ) -> None:
        self._application = application
        self._truth = truth
        self._ask = ask
        self._signer = signer
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str, str], tuple[dict[str, str], Answer]] = {}

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer one request."""
        if FORM not in environ.get("CONTENT_TYPE", ""):
            return self._application(environ, start)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        fields = wire.parameters(body)
        ec2 = "/ec2/" in environ.get("HTTP_AUTHORIZATION", "")
        try:
            if ec2:
                manners.check(fields)
            page = manners.wanted_page(fields) if ec2 else None
        except manners.Refused as refused:
            return _send(_refuse(refused.code, refused.message), start)
        if fields.get("Action") in COMPLETED and self._signer.good(environ, body):
            environ, fields = self._completed(environ, fields)
        answer = self._answer(environ, fields.get("Action", ""), fields)
        if page is not None and answer.good:
            document = wire.Document(answer.body)
            manners.cut(document, fields["Action"], *page)
            answer.body = document.render()
        return _send(answer, start)

    def _answer(self, environ: dict[str, Any], action: str, fields: dict[str, str]) -> Answer:
        if action == "RunInstances" and wire.user_data_bytes(fields) > USER_DATA_MAX:
            return _refuse(
                "InvalidParameterValue", f"User data is limited to {USER_DATA_MAX} bytes"
            )
        if action in ONCE and fields.get("ClientToken"):
            answer = self._once(environ, action, fields)
        else:
            answer = self._forward(environ)
        if answer.good:
            self._after(action, fields)  # groups of instances are changed by other services, too
            if "/ec2/" in environ.get("HTTP_AUTHORIZATION", ""):
                self._correct(action, fields, answer)
        return answer

    def _completed(
        self, environ: dict[str, Any], fields: dict[str, str]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        fields = {**fields, **self._missing(fields)}
        body = urlencode(fields).encode()
        return self._signer.again({**environ, "wsgi.input": io.BytesIO(body)}, body), fields

    def _missing(self, fields: Mapping[str, str]) -> dict[str, str]:
        """What AWS adds to a request by itself and moto does not.

        moto's elastic addresses are in 127.0.0.0/8. Source: EC2 API reference: DetachVolume needs
        no instance.
        """
        if fields["Action"] == "DetachVolume":
            if "InstanceId" in fields:
                return {}
            said = self._describe("DescribeVolumes", "VolumeId.1", fields.get("VolumeId", ""))
            instance = said.text("volumeSet/item/attachmentSet/item/instanceId")
            return {"InstanceId": instance} if instance else {}
        if fields.get("Domain", "vpc") != "vpc" or "Address" in fields:
            return {}
        said = self._describe("DescribeAddresses")
        taken = {item.text for item in said.all("addressesSet/item/publicIp")}
        return {"Address": next(a for a in ELASTIC if a not in taken)}

    def _describe(self, action: str, key: str = "", value: str = "") -> wire.Document:
        fields = {"Action": action, "Version": "2016-11-15"}
        return wire.Document(self._ask({**fields, key: value} if key else fields))

    def _forward(self, environ: dict[str, Any]) -> Answer:
        got: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            got[:] = [status, headers]

        chunks = self._application(environ, start)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        return Answer(status=got[0], headers=got[1], body=body)

    def _once(self, environ: dict[str, Any], action: str, fields: dict[str, str]) -> Answer:
        """The same token and wish: what was made then. The same token, another wish: an error.

        Source: EC2 API reference, "Ensuring idempotency". Who asks is told by the access key.
        """
        who = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition("/")[0]
        if not self._signer.good(environ, urlencode(fields).encode()):
            return self._forward(environ)  # whose key we do not know we cannot answer ourselves
        key = (who, action, fields["ClientToken"])
        with self._lock:  # two at the same moment must not both make something
            if key in self._made:
                wish, made = self._made[key]
                if wish != fields:
                    return _refuse(
                        "IdempotentParameterMismatch",
                        "The client token was used before with other parameters",
                    )
                return Answer(status=made.status, headers=list(made.headers), body=made.body)
            answer = self._forward(environ)
            if answer.good:
                kept = Answer(status=answer.status, headers=answer.headers, body=answer.body)
                self._made[key] = (fields, kept)
            return answer

    # -- what a call does to guests -------------------------------------------------------------

    def _after(self, action: str, fields: Mapping[str, str]) -> None:
        if action == "StopInstances" and fields.get("Force", "").lower() == "true":
            for instance in wire.numbered(fields, "InstanceId"):
                self._truth.stop_hard(instance)
        if action == "RebootInstances":
            for instance in wire.numbered(fields, "InstanceId"):
                self._truth.reboot(instance)
        if action in VOLUME_CALLS:
            self._truth.settle_volumes(HELD_S)
        elif action in HELD:
            self._truth.settle(HELD_S)
        elif not action.startswith(READING):
            self._truth.wake()

    # -- what an answer must say ------------------------------------------------------------------

    def _correct(self, action: str, fields: dict[str, str], answer: Answer) -> None:
        if action == "DescribeInstances":
            wanted = wire.filter_values(fields, "instance-state-name")
            if wanted is not None:  # moto would choose by a state that it only believes in
                answer.body = self._ask(wire.without_filter(fields, "instance-state-name"))
            document = wire.Document(answer.body)
            for reservation in document.all("reservationSet/item"):
                self._states(document, reservation, wanted)
            if wanted is not None:
                for holder in document.all("reservationSet"):
                    for reservation in list(holder):
                        if not list(document.all("instancesSet/item", reservation)):
                            holder.remove(reservation)
        elif action == "RunInstances":
            document = wire.Document(answer.body)
            self._states(document, document.root, None)
        elif action == "DescribeInstanceStatus":
            document = self._statuses(fields, answer.body)
        elif action == "GetConsoleOutput":
            document = self._console(fields, answer.body)
        elif action == "DescribeImages":
            document = wire.Document(answer.body)
            for disk in document.all("imagesSet/item/blockDeviceMapping/item"):
                document.put("ebs/volumeSize", str(ROOT_GIB), disk)
                document.put("ebs/deleteOnTermination", "true", disk)
        else:
            return
        answer.body = document.render()

    def _states(self, document: wire.Document, top: Element, wanted: list[str] | None) -> None:
        for holder in document.all("instancesSet", top):
            for item in list(holder):
                told = document.text("instanceState/name", item)
                state = self._truth.state(document.text("instanceId", item), told)
                if wanted is not None and state not in wanted:
                    holder.remove(item)
                    continue
                document.put("instanceState/name", state, item)
                document.put("instanceState/code", str(STATES[state]), item)

    def _statuses(self, fields: dict[str, str], body: bytes) -> wire.Document:
        every = fields.get("IncludeAllInstances", "").lower() == "true"
        document = wire.Document(body)
        for holder in document.all("instanceStatusSet"):
            for item in list(holder):
                instance = document.text("instanceId", item)
                state = self._truth.state(instance, document.text("instanceState/name", item))
                if state != "running" and not every:
                    holder.remove(item)
                    continue
                document.put("instanceState/name", state, item)
                document.put("instanceState/code", str(STATES[state]), item)
                health = self._truth.health(instance) if state == "running" else "not-applicable"
                system = "ok" if state == "running" else "not-applicable"
                passed = {"ok": "passed", "impaired": "failed"}
                for part, status in (("instanceStatus", health), ("systemStatus", system)):
                    document.put(f"{part}/status", status, item)
                    for detail in document.all(f"{part}/details/item", item):
                        document.put("status", passed.get(status, status), detail)
        return document

    def _console(self, fields: dict[str, str], body: bytes) -> wire.Document:
        said, at = self._truth.console(fields.get("InstanceId", ""))
        document = wire.Document(body)
        when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        document.put("output", base64.b64encode(said).decode(), document.root)
        document.put("timestamp", when, document.root)
        return document


def _send(answer: Answer, start: Start) -> list[bytes]:
    headers = [h for h in answer.headers if h[0].lower() != "content-length"]
    start(answer.status, [*headers, ("Content-Length", str(len(answer.body)))])
    return [answer.body]


def _refuse(code: str, message: str) -> Answer:
    body = wire.failure(code, message, str(uuid.uuid4()))
    return Answer(status="400 BAD REQUEST", headers=[("Content-Type", "text/xml")], body=body)
