"""What a site is published from and by which rules, and the names that results have under them."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from guidelines.model import Guideline
from guidelines.waivers import Waiver
from harness.guideline_documents import guideline_documents
from harness.subjects import about_checks
from reports.attest.keys import Signer
from reports.redact import Private, redaction
from reports.site.documents import GuidelineDocument
from reports.site.render import Renderer
from reports.subject import About


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What to publish and by which rules.

    Args:
        guidelines: the first is the one that certificates go by.
        program: of a guideline that has it; else the one that fits the platform.
        waivers: granted exceptions.
        private: what is taken out.
        day: states are as of this day.
        title: of the site.
        base: address it is published at; empty if unknown.
        salt: a secret of this machine, so that nobody guesses private values from keys.
        waivers_digest: of the file the waivers are from.
        trusted: whose signatures on bundles are shown with a name.
    """

    guidelines: Sequence[Guideline]
    program: str | None = None
    waivers: tuple[Waiver, ...] = ()
    waivers_digest: str = ""
    private: Private = field(default_factory=Private)
    day: date
    title: str = "Interop"
    base: str = ""
    salt: bytes
    trusted: tuple[Signer, ...] = ()

    @cached_property
    def documents(self) -> list[GuidelineDocument]:
        """The guidelines as the site takes them, without the publisher's private values."""
        found = guideline_documents(self.guidelines)
        if not self.private.values:
            return found
        taken = redaction({}, self.private)
        return [GuidelineDocument.model_validate(taken.value(one.model_dump())) for one in found]

    @cached_property
    def render(self) -> Renderer:
        """Draws the pages of single results."""
        return Renderer({"site_title": self.title})

    @cached_property
    def rules(self) -> bytes:
        """Everything but a result's bytes that its pages depend on."""
        parts = [version("interop-harness"), self.title, str(self.program), self.waivers_digest]
        parts += [document.model_dump_json() for document in self.documents]
        parts.append(repr(self.private))
        parts += [f"{s.fingerprint} {s.name} {s.since} {s.until}" for s in self.trusted]
        for folder in ("", "templates", "assets"):
            for file in sorted(
                (files("reports") / "site" / folder).iterdir(), key=lambda file: file.name
            ):
                if file.is_file() and not file.name.startswith("."):
                    parts.append(hashlib.sha256(file.read_bytes()).hexdigest())
        return "\0".join(parts).encode()

    @cached_property
    def _abouts(self) -> dict[str, Mapping[str, About]]:
        return {}

    def about(self, program: str) -> Mapping[str, About]:
        """What the first guideline's program asks of each check."""
        if program not in self._abouts:
            self._abouts[program] = about_checks(self.guidelines[0], [program])
        return self._abouts[program]

    def key(self, found: str) -> str:
        """A name for a result's bytes, whose digest is *found*, under these rules."""
        return hmac.new(self.salt, self.rules + found.encode(), hashlib.sha256).hexdigest()


def machine_salt() -> bytes:
    """A secret of this machine and user, made once; without it every result is read again."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    file = state / "interop" / "site-salt"
    try:
        return file.read_bytes()
    except FileNotFoundError:
        salt = secrets.token_bytes(32)
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(salt)
        return salt
