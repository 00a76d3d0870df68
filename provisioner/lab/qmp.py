"""Talk to one QEMU over its control socket.

Source: docs/interop/qmp-spec of QEMU: one JSON object per line, a greeting first, events between.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from provisioner.errors import Lost, PlatformFault

TIMEOUT_S = 10.0


def execute(path: Path, *commands: tuple[str, dict[str, Any]]) -> list[Any]:
    """What the commands returned, in their order.

    Raises:
        Lost: nobody answers on the socket: the machine is off.
        PlatformFault: QEMU refused a command.
    """
    results = []
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(TIMEOUT_S)
            line.connect(str(path))
            with line.makefile("r", encoding="utf-8") as answers:
                answers.readline()  # the greeting
                for name, arguments in (("qmp_capabilities", {}), *commands):
                    request = {"execute": name, "arguments": arguments}
                    line.sendall(json.dumps(request).encode() + b"\n")
                    results.append(_returned(answers, name))
    except (OSError, ValueError) as error:
        raise Lost(f"{path}: no answer: {error}") from error
    return results[1:]


def _returned(answers: Any, name: str) -> Any:
    for text in answers:
        said = json.loads(text)
        if "return" in said:
            return said["return"]
        if "error" in said:
            raise PlatformFault(f"qemu refused {name}: {said['error'].get('desc', said['error'])}")
    raise Lost(f"qemu hung up during {name}")
