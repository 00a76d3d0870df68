"""Takes secrets out of text before it is kept anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

SHORTEST = 6  # characters; masking shorter words would make every text unreadable
MASK = "********"


class Masker:
    """Replaces known secrets, the longest first, also in their base64 and URL-quoted forms.

    Secrets shorter than six characters are not masked: they occur in honest text all the time.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Learn more secrets."""
        forms = set(self._secrets)
        for secret in secrets:
            if len(secret) >= SHORTEST:
                encoded = base64.b64encode(secret.encode()).decode()
                forms |= {secret, quote(secret, safe=""), encoded}
                forms |= {line for line in secret.splitlines() if len(line) >= 24}
        self._secrets = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """*text* without any of the secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """A JSON value with every string in it masked, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        return value
