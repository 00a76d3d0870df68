"""What the plugin and its fixtures keep on pytest's configuration while a session runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.fixtures import Opened
    from harness.mask import Masker
    from harness.recorder import Draft, Journal
    from harness.session import Session

SESSION: pytest.StashKey[Session] = pytest.StashKey()
MASKER: pytest.StashKey[Masker] = pytest.StashKey()
JOURNAL: pytest.StashKey[Journal] = pytest.StashKey()
OPENED: pytest.StashKey[Opened] = pytest.StashKey()
CURRENT: pytest.StashKey[Draft] = pytest.StashKey()
