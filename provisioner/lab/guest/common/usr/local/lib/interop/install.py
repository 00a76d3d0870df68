"""Make the image on this machine's disk this machine: keys, registration, seed. Runs in it.

Talks to the boot service named on the kernel's command line (``interop.url``, ``interop.token``):

* POST URL/register with the token and what this machine is; the answer 201 is a JSON object with
  ``member_token``, ``name``, ``hostname``, ``meta`` and ``user_data`` (URLs).
* GET the two URLs with ``Authorization: Bearer MEMBER_TOKEN``. ``meta`` is a JSON object, which is
  YAML as well: ``instance-id``, ``local-hostname``, ``public-keys`` (list), ``user`` (default
  ``debian``).
* POST URL/progress with ``{"phase": ..., "text": ...}`` and the same header.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

INTEROP = Path("/var/lib/interop")
SEED = Path("/var/lib/cloud/seed/nocloud")
HOST_KEY = Path("/etc/ssh/ssh_host_ed25519_key")
BOOT = """SERIAL 0 115200
DEFAULT linux
PROMPT 0
LABEL linux
LINUX {kernel}
INITRD /boot/interop.initrd
APPEND root={root} rw {arguments}
"""
INSTALLERS = ("interop.", "initrd=", "BOOT_IMAGE=", "loglevel=")  # words of its own


def arguments() -> str:
    """What the installed kernel is told: the installer's words but its own, and to say more."""
    line = Path("/proc/cmdline").read_text().split()
    kept = [word for word in line if not word.startswith(INSTALLERS)]
    return " ".join([*dict.fromkeys(kept), "loglevel=6"])


def words() -> dict[str, str]:
    """The kernel's command line as names and values."""
    pairs = (word.partition("=") for word in Path("/proc/cmdline").read_text().split())
    return {name: value for name, _, value in pairs}


def address_towards(url: str) -> str:
    """Our address on the way to *url*; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((urlsplit(url).hostname or "", 9))
        return str(sock.getsockname()[0])


def ask(url: str, body: dict[str, Any] | None = None, token: str = "") -> bytes:
    """The answer's bytes; asks again for a while when the service does not answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - our own kernel line
    for last in (False, False, False, False, True):
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code < 500 or last:
                said = error.read(300).decode(errors="replace")
                sys.exit(f"interop: {url}: {error.code} {error.reason}: {said}")
        except OSError as error:
            if last:
                sys.exit(f"interop: {url}: {error}")
        time.sleep(1)
    return b""


def label(name: str) -> str:
    """One of the firmware's strings about this machine."""
    try:
        return Path("/sys/class/dmi/id", name).read_text().strip()
    except OSError:
        return ""


def inventory() -> dict[str, Any]:
    """What this machine finds in itself."""
    memory = Path("/proc/meminfo").read_text().split()
    ports = sorted(p for p in Path("/sys/class/net").iterdir() if p.name != "lo")
    disks = []
    for block in sorted(Path("/sys/block").glob("vd*")):
        serial = block / "serial"
        disks.append(
            {
                "name": block.name,
                "serial": serial.read_text().strip() if serial.exists() else "",
                "bytes": int((block / "size").read_text()) * 512,
            }
        )
    return {
        "macs": [(port / "address").read_text().strip() for port in ports],
        "serial": label("product_serial"),
        "uuid": label("product_uuid").lower(),
        "manufacturer": label("sys_vendor"),
        "product": label("product_name"),
        "cpus": os.cpu_count(),
        "memory_mib": int(memory[memory.index("MemTotal:") + 1]) // 1024,
        "disks": disks,
        "boot_device": "network",
        "firmware": "uefi" if Path("/sys/firmware/efi").exists() else "bios",
    }


def make_host_key() -> str:
    """A fresh host key; one that came with an image would be everybody's."""
    for old in HOST_KEY.parent.glob("ssh_host_*"):
        old.unlink()
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(HOST_KEY)]
    subprocess.run(command, check=True)
    return HOST_KEY.with_name(HOST_KEY.name + ".pub").read_text().strip()


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """A file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode)
    path.chmod(mode)
    path.write_text(text)


def make_user(name: str, keys: list[str]) -> None:
    """An account that logs in with *keys* and may become root (small image; no useradd there)."""
    home = Path("/home", name)
    for file, line in (
        ("/etc/passwd", f"{name}:x:1000:1000:{name}:{home}:/bin/bash"),
        ("/etc/group", f"{name}:x:1000:"),
        ("/etc/shadow", f"{name}:*:19700:0:99999:7:::"),
    ):
        with Path(file).open("a") as accounts:
            accounts.write(line + "\n")
    write(home / ".ssh/authorized_keys", "".join(f"{key.strip()}\n" for key in keys), 0o600)
    for path in (home, home / ".ssh", home / ".ssh/authorized_keys"):
        os.chown(path, 1000, 1000)
    (home / ".ssh").chmod(0o700)
    write(Path("/etc/sudoers.d", "interop"), f"{name} ALL=(ALL) NOPASSWD:ALL\n", 0o440)


def main() -> None:
    """Register this machine and write down who it is."""
    line = words()
    url = line["interop.url"].rstrip("/")
    key = make_host_key()
    body = {"token": line.get("interop.token", ""), "ssh_host_keys": [key], **inventory()}
    member = json.loads(ask(f"{url}/register", body))
    token = member["member_token"]
    meta = json.loads(ask(member["meta"], token=token))
    user_data = ask(member["user_data"], token=token).decode(errors="surrogateescape")
    hostname = meta.get("local-hostname") or member["hostname"]
    root = line.get("interop.disk", "/dev/vda") + "1"
    kernels = sorted(Path("/boot").glob("vmlinuz*"))
    boot = BOOT.format(kernel=kernels[-1], root=root, arguments=arguments())
    write(Path("/boot/extlinux/extlinux.conf"), boot)
    write(Path("/etc/fstab"), f"{root} / ext4 noatime 0 1\n")
    write(Path("/etc/hostname"), hostname.partition(".")[0] + "\n")
    names = f"{hostname} {hostname.partition('.')[0]}" if "." in hostname else hostname
    own = f"{address_towards(url)} {names}"  # not 127.0.1.1: a name means the machine
    write(Path("/etc/hosts"), f"127.0.0.1 localhost\n::1 localhost\n{own}\n")
    if Path("/etc/cloud/cloud.cfg").exists():
        write(SEED / "meta-data", json.dumps(meta), 0o600)
        write(SEED / "user-data", user_data or "#cloud-config\n", 0o600)
        write(
            Path("/etc/cloud/cloud.cfg.d/99-installed.cfg"),
            "datasource_list: [NoCloud]\nssh_deletekeys: false\n",
        )
    else:
        make_user(meta.get("user", "debian"), meta.get("public-keys", []))
        write(Path("/etc/machine-id"), uuid.uuid4().hex + "\n")
        write(INTEROP / "meta-data", json.dumps(meta), 0o600)
        write(INTEROP / "user-data", user_data, 0o600)
        write(INTEROP / "member", json.dumps({"url": url, "token": token}), 0o600)
    text = f"image on {root}, boots from disk"
    ask(f"{url}/progress", {"phase": "installed", "text": text}, token)
    os.sync()


if __name__ == "__main__":
    main()
