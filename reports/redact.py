"""Takes out of a document what its owner does not publish: secrets, controllers, private values.

Three sources say what that is. Built-in kinds: keys, tokens and passwords by their form, and the
addresses of management controllers. Marks in the document: the keys ``platform.declared.private``
names. Rules of the publisher: values, keys and networks. A value that is found once is taken out
wherever it stands, also quoted for a URL, JSON or HTML, in hexadecimal, as a part of base64, and
an address however it is written; equal values get equal stand-ins within one document, so that
agreement can still be seen. What is broken over lines or encoded twice is not found.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from reports.spelling import ip, spellings

SHORTEST = 4  # characters; a shorter value is taken out only at its own key
REMEMBERED = 200  # characters; names and short values come again and again
SECRET = "[secret]"  # noqa: S105 - what stands in a secret's place
STAND_IN = re.compile(r"\[(?:secret|private|bmc|address)(?:-\d+)?\]")
ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{3,39})(?![\w:]|\.\d)"
)
NUMBERS, LISTS = (int, float), (list, tuple)
DOTTED = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
HOST = re.compile(r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)")
CONTROLLER = re.compile(
    r"(?:^|[-_.])(?:bmc|ipmi|redfish|ilo|idrac|ipmitool)(?:$|[-_.])", re.IGNORECASE
)
CONTROLLER_CALLS = (
    re.compile(rf"https?://(?:[^/\s@]*@)?({HOST.pattern})(?::\d+)?/redfish\b", re.IGNORECASE),
    re.compile(rf"\bipmitool\b[^\n]*?\s-H\s*({HOST.pattern})"),
    re.compile(rf"\b(?:bmc|ipmi|redfish)://(?:[^/\s@]*@)?({HOST.pattern})", re.IGNORECASE),
)
SECRET_KEY = re.compile(
    r"(?!wrong[-_.])(?:.*[-_.])?(?:password|passwd|passphrase|secret|api[-_]?key|private[-_]?key|secret[-_]?access[-_]?key"
    r"|access[-_]?token|auth[-_]?token|session[-_]?token|x-auth-token|authorization|credential)s?",
    re.IGNORECASE,
)
# A part of a document is not walked through if its JSON in small letters has none of these.
FOLDED = ("\u017f", "\u0131", "i\u0307")  # an s and two i to a pattern that ignores case
TELLING = ("bmc", "ipmi", "redfish", "ilo", "idrac", *FOLDED)
WORDS = (
    *FOLDED, "-----begin", "akia", "asia", "eyj", "gaaaaa", "authorization", "passw", "passphrase",
    "secret", "token", "credential",
    *(f"{what}{dash}key" for what in ("api", "private") for dash in ("", "-", "_")),
)  # fmt: skip
JSON = json.JSONEncoder(ensure_ascii=False, default=str)
# What has none of these needs no closer look.
SUSPICIOUS = re.compile(
    r"-----BEGIN|A[KS]IA|eyJ|gAAAAA|://|(?i:authorization|passw|passphrase|secret|api|token)"
)
CALLS = re.compile("redfish|ipmi|bmc", re.IGNORECASE)
# Each pattern's group 1, if any, is kept; the rest gives way to the stand-in.
SECRET_TEXT = (
    re.compile(
        r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
    ),
    re.compile(r"()\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"()\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"),
    re.compile(r"()\bgAAAAA[\w-]{60,}={0,2}"),
    re.compile(r"(://)[^/\s:@'\"]*:[^/\s@'\"]+(?=@)"),
    re.compile(r"((?i:authorization)['\"]?\s*[:=]\s*['\"]?(?:\w+\s+)?)[\w+/=.~:-]{6,}"),
    re.compile(
        r"((?<![\w-])(?i:[\w-]*(?:_|-))?(?i:password|passwd|passphrase|secret|api[-_]?key"
        r"|secret[-_]?access[-_]?key|access[-_]?token|x-auth-token|x-subject-token)['\"]?\s*[:=]\s*['\"]?)"
        r"(?!\[secret\])[^\s'\",;&}\]]{4,}"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """What a publisher keeps to itself.

    Args:
        values: texts that are taken out wherever they stand.
        keys: names or dotted paths of keys, with ``*``, whose values are private.
        networks: addresses in them are taken out.
    """

    values: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()


@dataclass(slots=True)
class Redaction:
    """What is taken out of one document and of everything made from it."""

    private: Private
    keys: tuple[str, ...] = ()
    stand_ins: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _pattern: re.Pattern[str] | None = None
    _forms: dict[str, str] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)
    _addresses: dict[ipaddress.IPv6Address, str] = field(default_factory=dict)
    _words: tuple[str, ...] = ()  # what is without them is clean; none if that cannot be said
    _small: dict[int, tuple[Any, str]] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """*text* without anything private."""
        clean = self._known.get(text)
        if clean is None:
            clean = self._clean(text)
            if len(text) <= REMEMBERED:
                self._known[text] = clean
        return clean

    def _clean(self, text: str) -> str:
        if SUSPICIOUS.search(text):
            for pattern in SECRET_TEXT:
                text = pattern.sub(rf"\g<1>{SECRET}", text)
        if self._pattern is not None:
            text = self._pattern.sub(
                lambda found: self._forms.get(found[0].lower(), "[private]"), text
            )
        if self.private.networks or self._addresses:
            text = ADDRESS.sub(self._address, text)
        return text

    def value(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        """A JSON value, its keys too, without anything private."""
        if self.keys and path and value not in (None, "", [], {}) and is_named(path, self.keys):
            return self._whole(value, "private")
        if isinstance(value, str):
            return SECRET if value and path and _is_secret(path[-1]) else self.text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, NUMBERS):
            return self.stand_ins.get(str(value), value) if self.stand_ins else value
        if isinstance(value, LISTS):
            return [item if self._is_clean(item) else self.value(item, path) for item in value]
        if isinstance(value, Mapping):
            before = path if self.keys else ()  # a whole path is asked for by keys only
            return {self.text(k): self.value(v, (*before, part)) for k, part, v in _parts(value)}
        return value

    def tells_nothing(self, part: Mapping[Any, Any]) -> bool:
        """Whether *part* is certain to tell of no controller."""
        small = JSON.encode(part).lower()
        self._small[id(part)] = part, small  # held, so that no other part has its id
        return _lacks(small, TELLING)

    def _is_clean(self, part: object) -> bool:
        """Whether *part* is certain to have nothing that is taken out."""
        if not self._words or not isinstance(part, dict):
            return False
        _, small = self._small.pop(id(part), (part, ""))
        small = small or JSON.encode(part).lower()
        if "://" in small and "@" in small:
            return False
        return _lacks(small, self._words)

    def _whole(self, value: Any, sort: str) -> Any:
        """Every plain value in *value* replaced, however short."""
        if isinstance(value, Mapping):
            return {self.text(str(k)): self._whole(v, sort) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._whole(item, sort) for item in value]
        return self.stand_ins.get(str(value), f"[{sort}]") if value is not None else None

    def _address(self, found: re.Match[str]) -> str:
        address = ip(found[0])
        if address is None:
            return found[0]
        if isinstance(address, ipaddress.IPv6Address) and address in self._addresses:
            return self._addresses[address]
        inside = any(address in network for network in self.private.networks)
        return self.take(found[0], "address") if inside else found[0]

    def take(self, value: str, sort: str) -> str:
        """The stand-in of *value*, the same for the same value."""
        if STAND_IN.fullmatch(value):  # what was redacted before stays as it is
            self.stand_ins[value] = value
        if value not in self.stand_ins:
            self._counts[sort] = self._counts.get(sort, 0) + 1
            self.stand_ins[value] = f"[{sort}-{self._counts[sort]}]"
        return self.stand_ins[value]

    def prepare(self) -> None:
        """Make the pattern that finds every form of what was taken, the longest first."""
        forms: dict[str, str] = {}
        for value, stand_in in self.stand_ins.items():
            if len(value) < SHORTEST:
                continue
            if isinstance(address := ip(value), ipaddress.IPv6Address):
                self._addresses.setdefault(address, stand_in)
            for form in spellings(value):
                forms.setdefault(form.lower(), stand_in)
        self._forms = forms
        written = [JSON.encode(form)[1:-1].lower() for form in forms]
        plain = (
            all(len(value) >= SHORTEST for value in self.stand_ins) and "".join(written).isascii()
        )
        if plain and not self.keys and not self.private.networks and not self._addresses:
            self._words = (*WORDS, *written)
        if forms:
            longest = sorted(forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(_bounded, longest)), re.IGNORECASE)


def redaction(document: Mapping[str, Any], private: Private) -> Redaction:
    """What has to be taken out of *document*, a result document or any JSON value."""
    platform = document.get("platform")
    declared = platform.get("declared") if isinstance(platform, Mapping) else None
    marks = declared.get("private") if isinstance(declared, Mapping) else None
    marked = tuple(m for m in marks if isinstance(m, str)) if isinstance(marks, list) else ()
    made = Redaction(private=private, keys=(*private.keys, *marked))
    for value in private.values:
        made.take(value, "private")
    for path, value in _leaves(document, whole=bool(made.keys), skip=made.tells_nothing):
        if not made.keys and not isinstance(value, str):
            continue
        if made.keys and is_named(path, made.keys) and path[-1:] != ("private",):
            made.take(str(value), "private")
        elif isinstance(value, str):
            for address in controllers(path, value):
                made.take(address, "bmc")
    made.prepare()
    return made


def _lacks(text: str, words: Sequence[str]) -> bool:
    for word in words:  # noqa: SIM110 - all() with a generator takes three times as long
        if word in text:
            return False
    return True


def is_named(path: tuple[str, ...], names: Sequence[str]) -> bool:
    """Whether a key's path, or the path from any of its parts on, is one of *names*."""
    dotted = [".".join(path[start:]) for start in range(len(path))]
    return any(fnmatchcase(part, name) for name in names for part in dotted)


def controllers(path: tuple[str, ...], text: str) -> Iterator[str]:
    """Addresses of management controllers that *text*, found at *path*, tells."""
    if any(_is_controller(part) for part in path):
        yield from ADDRESS.findall(text)
    if CALLS.search(text):
        for pattern in CONTROLLER_CALLS:
            yield from (found.strip("[]") for found in pattern.findall(text))


@lru_cache(maxsize=4096)
def _is_secret(key: str) -> bool:
    return SECRET_KEY.fullmatch(key) is not None


@lru_cache(maxsize=4096)
def _is_controller(key: str) -> bool:
    return CONTROLLER.search(key) is not None


def _leaves(
    document: Any, *, whole: bool, skip: Callable[[Mapping[Any, Any]], bool]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every plain value with its path; a fact's value stands at the fact's name.

    Unless the *whole* path is wanted, only those of its parts that name a controller are told, and
    an object in a list below none is passed over where *skip* says so.
    """
    waiting: list[tuple[tuple[str, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, LISTS):
            all_ = whole or path
            waiting.extend(
                [(path, i) for i in value if all_ or not (isinstance(i, dict) and skip(i))]
            )
        elif isinstance(value, dict):
            for _, part, item in _parts(value):
                waiting.append(((*path, part) if whole or _is_controller(part) else path, item))
        elif value is not None and not isinstance(value, bool):
            yield path, value


def _parts(value: Mapping[Any, Any]) -> Iterator[tuple[str, str, Any]]:
    """Key, part of the path and item; a fact's value is known by the fact's name."""
    name = value.get("name")
    is_fact = isinstance(name, str) and "value" in value and "source" in value
    for key, item in value.items():
        text = str(key)
        yield text, str(name) if is_fact and key == "value" else text, item


def _bounded(form: str) -> str:
    """A pattern for one form; an address is not found inside a longer one."""
    if DOTTED.fullmatch(form):  # letters beside it, as in "via192.0.2.7", are no part of it
        return rf"(?<!\d)(?<!\d\.){re.escape(form)}(?!\d|\.\d)"
    if ADDRESS.fullmatch(form):
        return rf"(?<![0-9A-Fa-f.:]){re.escape(form)}(?![0-9A-Fa-f:]|\.\d)"
    return re.escape(form)
