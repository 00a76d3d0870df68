"""What the machine of the destructive checks is started with."""

from __future__ import annotations

from provisioner.driver import Description

RUNS = "/var/lib/interop/user-data-runs"
SPOKEN = "interop-user-data-ran"
SCRIPT = f"""#!/bin/sh
# Grüße, 漢字, عربي, שלום, e\u0301, 🙂 and a \\backslash, "quotes", 'apostrophes', $dollar, %percent
mkdir -p /var/lib/interop
cat /proc/sys/kernel/random/uuid >> {RUNS}
sync
echo {SPOKEN} > /dev/console 2>/dev/null
exit 0
"""
PLAIN_BYTES = 4096  # where no limit is told


def user_data(description: Description) -> bytes:
    """A script of all sorts of bytes, one byte under the platform's limit, without NUL."""
    limit = int(description.limits.get("user_data_bytes", 0))
    size = limit - 1 if limit else PLAIN_BYTES
    script = SCRIPT.encode("utf-8")
    filler = "# äöü 0123456789 漢字 🙂\n".encode()
    while len(script) + len(filler) < size:
        script += filler
    return script + b"#" * (size - len(script) - 1) + b"\n"
