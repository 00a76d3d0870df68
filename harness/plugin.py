"""The pytest plugin: does nothing until an ``--interop-`` option is given."""

from __future__ import annotations
