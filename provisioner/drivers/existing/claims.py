"""Claims on hosts: a file on the host itself says which run has it, so that every harness sees it.

The file is ``~/.interop/claim-HOSTNAME`` of the log-in user (the name keeps hosts apart that share
a home directory). It is made by ``link``, which exactly one of two rivals survives.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from provisioner.errors import Conflict, Lost, NotFound, PlatformFault
from provisioner.features import Completed
from provisioner.remote import Remote

TAKEN = 75  # EX_TEMPFAIL: somebody else has it
LIMIT_S = 30.0

_PLACE = 'set -eu; umask 077; d="$HOME/.interop"; c="$d/claim-$(uname -n)"; '

_TAKE = (
    _PLACE + 'mkdir -p "$d"; t="$c.$$"; cat > "$t"; '
    'if ln "$t" "$c" 2>/dev/null; then rm -f "$t"; exit 0; fi; '
    f'rm -f "$t"; [ -e "$c" ] || exit 73; cat "$c"; exit {TAKEN}'
)
_READ = _PLACE + 'if [ -e "$c" ]; then cat "$c"; fi'
_CHANGE = _PLACE + f'grep -qF MARK "$c" || exit {TAKEN}; t="$c.$$"; cat > "$t"; mv -f "$t" "$c"'
_KEY = (
    'set -eu; umask 077; cd; mkdir -p .ssh; k=.ssh/authorized_keys; touch "$k"; '
    'if ! grep -qF MARK "$k"; then { [ ! -s "$k" ] || [ -z "$(tail -c 1 "$k")" ] || echo; '
    'cat; } >> "$k"; fi'
)
# The key goes first: while the claim stands nobody else can have put theirs there.
_GIVE_BACK = (
    _PLACE + '[ -e "$c" ] || exit 0; grep -qF MARK "$c" || exit 0; '
    'k="$HOME/.ssh/authorized_keys"; if [ -e "$k" ] && grep -qF KEYMARK "$k"; then '
    't="$d/keys.$$"; grep -vF KEYMARK "$k" > "$t" || true; cat "$t" > "$k"; rm -f "$t"; fi; '
    'rm -f "$c"'
)


def _mark(token: str) -> str:
    """What the claim of a token has in it, literally."""
    return shlex.quote(f'"token": {json.dumps(token)}')


def _key_mark(token: str) -> str:
    """The end of the line that a claim adds to authorized_keys; no blanks, no quotes."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in token)
    return f"interop-claim={safe}."


def _run(remote: Remote, script: str, what: str, stdin: bytes = b"") -> Completed:
    done = remote.run(script, stdin=stdin, timeout_s=LIMIT_S)
    if done.code not in (0, TAKEN):
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise PlatformFault(f"cannot {what}: {said[-1] if said else f'code {done.code}'}")
    return done


def _parse(data: bytes) -> dict[str, Any] | None:
    """A claim's content, or None for no claim.

    Raises:
        Lost: there is one, but it cannot be read: nobody knows whose it is.
    """
    if not data.strip():
        return None
    try:
        claim = json.loads(data)
        tags = claim["tags"]
        if not isinstance(claim["token"], str) or not isinstance(tags, dict):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise Lost("the claim on the host is unreadable") from error
    return {"token": claim["token"], "tags": {str(k): str(v) for k, v in tags.items()}}


def _content(token: str, tags: Mapping[str, str]) -> bytes:
    return (json.dumps({"token": token, "tags": dict(tags)}) + "\n").encode()


def read(remote: Remote) -> dict[str, Any] | None:
    """The claim that stands on the host: ``token`` and ``tags``; None when it is free."""
    return _parse(_run(remote, _READ, "read the claim").stdout)


def take(remote: Remote, token: str, tags: Mapping[str, str]) -> dict[str, Any] | None:
    """Claim the host: None when it is ours now (or was, by this token), else who has it."""
    done = _run(remote, _TAKE, "claim the host", _content(token, tags))
    if done.code == 0:
        return None
    holder = _parse(done.stdout)
    return None if holder is not None and holder["token"] == token else holder or {"tags": {}}


def add_key(remote: Remote, token: str, public_key: str) -> None:
    """Let the run's key in; adding it again changes nothing."""
    mark = _key_mark(token)
    line = f"{' '.join(public_key.split()[:2])} {mark}\n".encode()
    _run(remote, _KEY.replace("MARK", shlex.quote(mark)), "add the run's key", line)


def change(remote: Remote, token: str, tags: Mapping[str, str]) -> None:
    """Put other tags on a claim that stands.

    Raises:
        Conflict: the claim is gone, or somebody else's by now.
    """
    script = _CHANGE.replace("MARK", _mark(token))
    if _run(remote, script, "change the claim", _content(token, tags)).code == TAKEN:
        raise Conflict("the host is not claimed by this run any more")


def give_back(remote: Remote, token: str) -> None:
    """End the claim and take the run's key out; a claim of somebody else's is left alone."""
    script = _GIVE_BACK.replace("KEYMARK", shlex.quote(_key_mark(token)))
    _run(remote, script.replace("MARK", _mark(token)), "give the host back")


class ClaimTags:
    """The Metadata feature: tags of a claim that stands."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def update_tags(self, tags: Mapping[str, str]) -> None:
        claim = read(self._remote)
        if claim is None:
            raise NotFound("the host is not claimed")
        change(self._remote, claim["token"], claim["tags"] | dict(tags))
