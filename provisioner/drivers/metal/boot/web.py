"""The HTTP side of the boot service: scripts and files, registration, seed, progress.

* ``GET /ipxe/MAC`` the script of a machine, rendered for it, with a token that may only register
* ``GET /files/NAME`` kernel, initrd and images
* ``POST /register`` who a machine is; the answer has its own token
* ``GET /meta-data``, ``GET /user-data``, ``POST /progress`` with that token
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import wrap_file

from provisioner.clock import Clock
from provisioner.drivers.metal.boot.identity import Fingerprint, identify
from provisioner.drivers.metal.boot.render import render
from provisioner.drivers.metal.boot.tokens import Refusal, Tickets, digest_of, new_member_token
from provisioner.drivers.metal.registry import Claim, Life, Registry
from provisioner.drivers.metal.settings import MAC, MetalSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
EVENTS = 200
CONSOLE = "console=ttyS0"

Short = Annotated[str, Field(max_length=200)]
HostKey = Annotated[str, Field(max_length=1000, pattern=r"^(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+")]


class Registration(BaseModel):
    """What a machine says of itself; what else it says is not kept."""

    model_config = ConfigDict(extra="ignore")

    token: Short
    macs: Annotated[list[Short], Field(max_length=32)] = []
    serial: Short = ""
    uuid: Short = ""
    product: Short = ""
    manufacturer: Short = ""
    ssh_host_keys: Annotated[list[HostKey], Field(max_length=8)] = []
    memory_mib: int = Field(default=0, ge=0)
    cpus: int = Field(default=0, ge=0)
    disks: Annotated[list[dict[str, Any]], Field(max_length=64)] = []
    boot_device: Short = ""
    firmware: Short = ""


class Progress(BaseModel):
    """How far a machine is."""

    model_config = ConfigDict(extra="ignore")

    phase: Annotated[str, Field(max_length=60)]
    text: Annotated[str, Field(max_length=2000)] = ""


class BootWeb:
    """The WSGI application. *changed* is called when a machine has got an address or a name."""

    def __init__(
        self,
        settings: MetalSettings,
        registry: Registry,
        clock: Clock,
        *,
        service: str,
        changed: Callable[[], None],
    ) -> None:
        self._settings, self._boot = settings, settings.boot
        self._registry, self._clock, self._service = registry, clock, service
        self._changed = changed
        self.tickets = Tickets(clock, settings.boot.token_ttl_s)
        self.user_data: dict[str, bytes] = {}  # by instance; never on disk
        self.strangers: dict[str, float] = {}  # MAC -> when it asked for a script
        self._map = Map(
            [
                Rule("/ipxe/<mac>", endpoint=self._script, methods=["GET"]),
                Rule("/files/<name>", endpoint=self._file, methods=["GET"]),
                Rule("/register", endpoint=self._register, methods=["POST"]),
                Rule("/meta-data", endpoint=self._meta_data, methods=["GET"]),
                Rule("/user-data", endpoint=self._user_data, methods=["GET"]),
                Rule("/progress", endpoint=self._progress, methods=["POST"]),
            ]
        )

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY
        try:
            endpoint, values = self._map.bind_to_environ(environ).match()
            response: Response = endpoint(request, **values)
        except Refusal as refusal:
            _log.warning("%s: %s refused: %s", request.remote_addr, request.path, refusal)
            response = _text(f"{refusal}\n", 403)
        except HTTPException as other:
            response = _text(f"{other.name.lower()}\n", other.code or 500)
        return response(environ, start)

    # -- booting -------------------------------------------------------------------------------

    def _script(self, request: Request, mac: str) -> Response:
        plain = re.sub(r"%3a|-", ":", mac.lower())
        if not MAC.fullmatch(plain):
            return _text("not a MAC address\n", 400)
        machine = next((m for m in self._settings.inventory if plain in m.macs), None)
        claim = self._registry.claim_of(machine.name) if machine else None
        if machine is None:
            self.strangers[plain] = self._clock.time()
            return self._install("a machine that nobody knows", "", "", ())
        if claim is None:
            return self._from_disk(machine.name)
        life = self._registry.live(
            claim, lambda old: replace(old, network_boots=old.network_boots + 1)
        )
        if life.registered:
            return self._from_disk(machine.name)
        image = claim.image if claim.image in self._boot.images else ""
        wipe = tuple(d.serial for d in machine.disks if d.serial not in self._kept(machine.name))
        return self._install(machine.name, machine.name, image, wipe)

    def _kept(self, machine: str) -> set[str]:
        """Serials of disks that hold somebody's volume."""
        volumes = self._registry.things("volume")
        return {str(v.facts.get("serial")) for v in volumes if v.facts.get("machine") == machine}

    def _install(self, name: str, machine: str, image: str, wipe: tuple[str, ...]) -> Response:
        return _text(
            render(
                "script.ipxe.j2",
                name=name,
                url=self._boot.url,
                console="" if "console=" in self._boot.arguments else CONSOLE,
                token=self.tickets.issue(machine),
                image=image,
                wipe=[serial for serial in wipe if re.fullmatch(r"[A-Za-z0-9_.-]+", serial)],
                arguments=self._boot.arguments,
            )
        )

    def _from_disk(self, name: str) -> Response:
        return _text(render("script.ipxe.j2", name=name, url=self._boot.url, token=""))

    def _file(self, request: Request, name: str) -> Response:
        files = {"kernel": self._boot.kernel, "initrd": self._boot.initrd, **self._boot.images}
        path = files.get(name)
        if path is None or not Path(path).is_file():
            return _text("no such file\n", 404)
        opened = Path(path).open("rb")  # noqa: SIM115 - closed by the server after sending
        response = Response(
            wrap_file(request.environ, opened, 1 << 18), mimetype="application/octet-stream"
        )
        response.content_length = Path(path).stat().st_size
        response.direct_passthrough = True
        return response

    # -- registration and seed -----------------------------------------------------------------

    def _register(self, request: Request) -> Response:
        body = request.get_data()
        try:
            told = Registration.model_validate_json(body)
        except ValidationError as wrong:
            first = wrong.errors(include_input=False, include_url=False)[0]
            return _text(f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}\n", 400)
        meant, answer = self.tickets.spend(told.token, body)
        if answer:
            return Response(answer, 201, mimetype="application/json")
        seen = Fingerprint(serial=told.serial, uuid=told.uuid, macs=tuple(told.macs))
        match = identify(seen, self._settings.inventory)
        if not match.machine:
            raise Refusal(f"fits no machine of the inventory (best score {match.score})")
        if meant and meant != match.machine:
            raise Refusal(f"token of {meant}, but this is {match.machine}")
        claim = self._registry.claim_of(match.machine)
        if claim is None:
            raise Refusal(f"{match.machine} belongs to no run")
        token = new_member_token()
        address = request.remote_addr or ""

        def registered(old: Life) -> Life:
            return replace(
                old,
                registered=self._clock.time(),
                host_keys=tuple(" ".join(key.split()[:2]) for key in told.ssh_host_keys),
                hardware={**told.model_dump(exclude={"token", "ssh_host_keys"}),
                          "address": address},
                member=digest_of(token),
                score=match.score,
            )  # fmt: skip

        self._registry.live(claim, registered)
        answer = json.dumps(
            {
                "member_token": token,
                "name": claim.machine,
                "hostname": self._hostname(claim),
                "meta": f"{self._boot.url}/meta-data",
                "user_data": f"{self._boot.url}/user-data",
            }
        ).encode()
        self.tickets.answered(told.token, answer)
        _log.info("%s registered as %s (score %.2f)", address, claim.machine, match.score)
        self._changed()
        return Response(answer, 201, mimetype="application/json")

    def _meta_data(self, request: Request) -> Response:
        claim, _ = self._member(request)
        hostname = self._hostname(claim)
        meta = {
            "instance-id": claim.instance,
            "local-hostname": f"{hostname}.{self._boot.domain}",
            "hostname": hostname,
            "name": claim.name,
            "user": self._boot.user,
            "public-keys": list(claim.keys),
            "image": claim.image,
        }
        return Response(json.dumps(meta), mimetype="application/json")

    def _user_data(self, request: Request) -> Response:
        claim, _ = self._member(request)
        if claim.user_data and claim.instance not in self.user_data:
            return _text("user-data is with a process that ended\n", 503)
        data = self.user_data.get(claim.instance, b"")
        return Response(data, mimetype="application/octet-stream")

    def _progress(self, request: Request) -> Response:
        claim, _ = self._member(request)
        try:
            told = Progress.model_validate_json(request.get_data())
        except ValidationError:
            return _text("expected phase and text\n", 400)
        event = {"at": self._clock.time(), "phase": told.phase, "text": told.text}
        self._registry.live(claim, lambda old: replace(old, events=(*old.events, event)[-EVENTS:]))
        return Response(status=204)

    def _member(self, request: Request) -> tuple[Claim, Life]:
        """The machine whose token a request carries."""
        given = request.authorization
        if given is None or given.type != "bearer" or not given.token:
            raise Refusal("a machine's token is needed")
        digest = digest_of(given.token)
        for claim in self._registry.claims():
            life = self._registry.life(claim)
            if life.member and life.member == digest:
                return claim, life
        raise Refusal("unknown machine token")

    def _hostname(self, claim: Claim) -> str:
        if "wrong-hostname" in self._settings.defects:
            return f"not-{claim.hostname}"
        return claim.hostname


def _text(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="text/plain")
