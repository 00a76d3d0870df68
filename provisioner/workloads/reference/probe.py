"""The probe: plays every role of the reference workload, and tells what a guest sees.

One file, standard library only, Python 3.9 or later, the same bytes on every platform::

    probe.py serve --config FILE        the server of a role (front, app, store)
    probe.py enable --config FILE       have the server run now and after each boot
    probe.py volume --mount DIR [--id TEXT]   make a file system on the data volume and mount it
    probe.py observe NAME [JSON]        print one observation as a JSON object

It needs root for some observations and takes it by ``sudo -n`` where it is there. Times are
seconds (epoch or durations), sizes are bytes. Nothing is assumed of the guest but Linux: neither
systemd, udev, iproute2 nor a package manager.
"""

# ruff: noqa: B905, PTH100, PTH110, PTH112, PTH119, PTH123, PTH207
# Python 3.9 has no zip(strict=); glob and os.path read better than Path for the fixed names of
# /proc and /sys.

from __future__ import annotations

import base64
import contextlib
import errno
import glob
import json
import os
import re
import socket
import stat
import struct
import sys
import time
from pathlib import Path

# Where the processor is emulated a start of Python costs seconds, and most of that are imports:
# what only some observations need is imported by them (a look costs 37 ms of an ordinary processor
# instead of 80).
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from http.server import BaseHTTPRequestHandler
    from typing import Any

    Json = dict[str, Any]  # a JSON object

VERSION = "2026.11"
HOME = Path(os.environ.get("INTEROP_PROBE_HOME") or "/var/lib/interop")  # survives reboots
HTTP_PORT = 8080  # roles talk here; open to members and to the harness
UDP_PORT = 8082  # echo, time and path measurements; open to members
SHUT_PORT = 8079  # somebody listens, but no firewall rule lets anybody in
GROUP = "239.77.77.77"  # multicast group of the members (RFC 2365, administratively scoped)
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


# --- reading the machine ---------------------------------------------------------------------


def text_of(path: str | Path, default: str = "") -> str:
    """A small file's text without surrounding blanks; *default* where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0 \t\r\n")
    except OSError:
        return default


def output_of(argv: list[str], timeout_s: float = 10.0) -> tuple[int, str]:
    """Exit code and output of a program; 127 where it is not there, 124 when it takes too long."""
    import subprocess

    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return 127, ""
    except subprocess.TimeoutExpired:
        return 124, ""
    except OSError as error:
        return 126, str(error)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def sha256(data: bytes) -> bytes:
    """A digest."""
    import hashlib

    return hashlib.sha256(data).digest()


def at_once(call: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """*call* of every item at the same time; what came of them, in order."""
    import threading

    every = list(items)
    found: dict[int, Any] = {}

    def one(number: int) -> None:
        try:
            found[number] = call(every[number])
        except Exception as error:
            found[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(every))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for value in found.values():
        if isinstance(value, Exception):
            raise value
    return [found[number] for number in range(len(every))]


def boot_identity() -> str:
    """A text that differs after every boot.

    The kernel's boot id is not enough: a container machine shares the host's kernel. The start of
    its first process, in clock ticks since the kernel booted, is exact and cannot drift.
    """
    return f"{text_of('/proc/sys/kernel/random/boot_id')}/{first_process_ticks()}"


def first_process_ticks() -> int:
    """When process 1 started, in clock ticks after the kernel's boot (proc(5), field 22)."""
    fields = text_of("/proc/1/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def boot_time() -> float:
    """When process 1 started, seconds since the epoch by this machine's own clock."""
    up = float(text_of("/proc/uptime", "0").split()[0])
    with contextlib.suppress(OSError, AttributeError):
        up = time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - up + first_process_ticks() / CLOCK_TICKS


# --- netlink: addresses, routes and neighbours without any tool --------------------------------

RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH = 18, 22, 26, 30
ARPHRD_LOOPBACK, IFF_UP = 772, 1
FAMILIES = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}
ROUTE_SOURCES = {2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp"}


def netlink(kind: int, head: bytes) -> Iterable[bytes]:
    """The payloads of a dump request (rtnetlink(7))."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.settimeout(5)
        sock.bind((0, 0))
        sock.send(struct.pack("=LHHLL", 16 + len(head), kind, 0x301, 1, 0) + head)
        while True:
            data = sock.recv(1 << 17)
            while len(data) >= 16:
                length, of, _, _, _ = struct.unpack_from("=LHHLL", data)
                if of in (2, 3) or length < 16:  # error, done
                    return
                yield data[16:length]
                data = data[(length + 3) & ~3 :]


def attributes(data: bytes) -> dict[int, bytes]:
    """Type to value of a chain of netlink attributes."""
    found: dict[int, bytes] = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def as_address(value: bytes) -> str:
    """Four or sixteen bytes as an address."""
    family = {4: socket.AF_INET, 16: socket.AF_INET6}.get(len(value))
    return socket.inet_ntop(family, value) if family is not None else ""


def addresses() -> list[Json]:
    """Every address with its interface, prefix, scope and remaining lifetime (None: for ever)."""
    found = []
    for body in netlink(RTM_GETADDR, struct.pack("=BBBBL", 0, 0, 0, 0, 0)):
        family, prefix, _, scope, index = struct.unpack_from("=BBBBL", body)
        if family not in FAMILIES:
            continue
        attrs = attributes(body[8:])
        valid = struct.unpack_from("=LL", attrs[6])[1] if 6 in attrs else 0xFFFFFFFF
        found.append(
            {
                "interface": interface_name(index),
                "address": as_address(attrs.get(2) or attrs.get(1, b"")),
                "prefix": prefix,
                "family": FAMILIES[family],
                "scope": {0: "global", 253: "link", 254: "host"}.get(scope, str(scope)),
                "lifetime_s": None if valid == 0xFFFFFFFF else valid,
            }
        )
    return found


def default_routes() -> list[Json]:
    """Default routes of the main table, best first: interface, gateway, who set them, onlink."""
    found = []
    for family in FAMILIES:
        for body in netlink(RTM_GETROUTE, struct.pack("=BBBBBBBBL", family, *[0] * 8)):
            fam, length, _, _, table, source, _, kind, flags = struct.unpack_from(
                "=BBBBBBBBL", body
            )
            attrs = attributes(body[12:])
            if fam != family or length or kind != 1 or table != 254 or 4 not in attrs:
                continue
            found.append(
                {
                    "family": FAMILIES[family],
                    "interface": interface_name(struct.unpack("=L", attrs[4])[0]),
                    "gateway": as_address(attrs.get(5, b"")),
                    "source": ROUTE_SOURCES.get(source, str(source)),
                    "onlink": bool(flags & 4),
                    "metric": struct.unpack("=L", attrs[6])[0] if 6 in attrs else 0,
                }
            )
    return sorted(found, key=lambda route: (route["family"], route["metric"]))


def neighbours() -> dict[str, str]:
    """Addresses on the link and the hardware address that answered for each."""
    found = {}
    for body in netlink(RTM_GETNEIGH, struct.pack("=BBHLHBB", 0, 0, 0, 0, 0, 0, 0)):
        attrs = attributes(body[12:])
        if 1 in attrs and len(attrs.get(2, b"")) == 6:
            found[as_address(attrs[1])] = ":".join(f"{byte:02x}" for byte in attrs[2])
    return found


def interface_name(index: int) -> str:
    """The name of an interface by its number."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"#{index}"


def own_addresses() -> list[str]:
    """Addresses of this machine that others can use."""
    return [a["address"] for a in addresses() if a["scope"] == "global"]


# --- observations: what a machine is -----------------------------------------------------------

OBSERVATIONS: dict[str, Callable[..., Json]] = {}


def observation(function: Callable[..., Json]) -> Callable[..., Json]:
    """Register ``observe`` under the function's name, with dashes."""
    OBSERVATIONS[function.__name__.replace("_", "-")] = function
    return function


@observation
def identity() -> Json:
    """Who this machine thinks it is; two machines must never agree on any of the ids."""
    keys = {}
    for file in sorted(glob.glob("/etc/ssh/ssh_host_*_key.pub")):
        words = text_of(file).split()
        if len(words) >= 2:
            digest = sha256(base64.b64decode(words[1]))
            keys[words[0]] = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
    dmi = {
        name: text_of(f"/sys/class/dmi/id/{file}")
        for name, file in [
            ("serial", "product_serial"),
            ("uuid", "product_uuid"),
            ("product", "product_name"),
            ("manufacturer", "sys_vendor"),
        ]
    }
    return {
        "hostname": socket.gethostname(),
        "machine_id": text_of("/etc/machine-id") or text_of("/var/lib/dbus/machine-id"),
        "boot": boot_identity(),
        "booted_at": boot_time(),
        "uptime_s": max(0.0, time.time() - boot_time()),
        "host_keys": keys,
        "dhcp_ids": dhcp_ids(),
        "dmi": dmi,
        "container": text_of("/run/systemd/container"),
        "cmdline": re.sub(r"(token|secret|password|key)=\S+", r"\1=***", text_of("/proc/cmdline")),
    }


def dhcp_ids() -> list[str]:
    """What this machine calls itself towards DHCP servers, as far as it is written down."""
    found = []
    for file in glob.glob("/run/systemd/netif/leases/*"):
        found += re.findall(r"^CLIENTID=(\S+)", text_of(file), re.MULTILINE)
    for file in glob.glob("/var/lib/dhcp/*.lease*") + glob.glob("/run/dhclient*.lease*"):
        found += re.findall(r"dhcp-client-identifier ([^;]+);", text_of(file))
    if not found:  # RFC 2131, 4.2: without a client identifier the hardware address serves
        found = [item["mac"] for item in interfaces() if item["mac"]]
    return sorted(set(found))


def interfaces() -> list[Json]:
    """The network interfaces that are up or have an address, without loopback.

    Asked by netlink: in a container /sys may show the host's interfaces instead of its own.
    """
    held = addresses()
    found = []
    for body in netlink(RTM_GETLINK, struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0)):
        kind, flags = struct.unpack_from("=xxHxxxxI", body)
        attrs = attributes(body[16:])
        name = attrs.get(3, b"").rstrip(b"\0").decode("utf-8", "replace")
        mine = [a for a in held if a["interface"] == name]
        if kind == ARPHRD_LOOPBACK or not (mine or flags & IFF_UP):
            continue
        found.append(
            {
                "name": name,
                "mac": ":".join(f"{byte:02x}" for byte in attrs.get(1, b"")),
                "mtu": struct.unpack("=I", attrs[4])[0] if 4 in attrs else 0,
                "state": "up" if flags & IFF_UP else "down",
                "addresses": mine,
            }
        )
    return sorted(found, key=lambda item: str(item["name"]))


@observation
def addressing() -> Json:
    """Interfaces with addresses, the way out, and who assigned the address."""
    routes = default_routes()
    best = next((r for r in routes if r["family"] == "ipv4"), routes[0] if routes else None)
    answers = None
    if best and best["gateway"]:
        answers = ping(best["gateway"])
    method, lease, how = address_source(best)
    return {
        "interfaces": interfaces(),
        "default": best,
        "routes": routes,
        "gateway_answers": answers,
        "source": method,
        "lease_s": lease,
        "source_seen_in": how,
    }


def address_source(route: Json | None) -> tuple[str, int | None, str]:
    """Who assigned the address (dhcp, ra, static, cni, unknown), its lease time, where seen."""
    for file in glob.glob("/run/systemd/netif/leases/*"):
        life = re.search(r"^LIFETIME=(\d+)", text_of(file), re.MULTILINE)
        return "dhcp", int(life.group(1)) if life else None, file
    for pattern in ("/var/lib/dhcp/*.lease*", "/run/dhclient*.lease*", "/run/*dhcp*"):
        for file in glob.glob(pattern):
            said = text_of(file)
            life = re.search(r"(?:dhcp-lease-time |lease=)(\d+)", said)
            if said and Path(file).is_file():
                return "dhcp", int(life.group(1)) if life else None, file
    for process in glob.glob("/proc/[0-9]*/comm"):
        if text_of(process) in ("udhcpc", "dhcpcd", "dhclient"):
            return "dhcp", None, f"process {text_of(process)}"
    if route and route["source"] in ("dhcp", "ra"):
        return route["source"], None, "protocol of the default route"
    for item in addresses():
        if item["scope"] == "global" and item["lifetime_s"] is not None:
            return "dhcp", item["lifetime_s"], f"lifetime of {item['address']}"
    for file in [
        "/etc/network/interfaces",
        *glob.glob("/etc/network/interfaces.d/*"),
        *glob.glob("/etc/systemd/network/*.network"),
        *glob.glob("/run/systemd/network/*.network"),
    ]:
        if re.search(r"^\s*(iface \S+ inet static|Address=)", text_of(file), re.MULTILINE):
            return "static", None, file
    for file in glob.glob("/proc/net/pnp"):
        if "bootserver" in text_of(file):
            return "dhcp", None, file
    if os.environ.get("KUBERNETES_SERVICE_HOST"):  # a pod's address is there before the pod is
        return "cni", None, "environment of a Kubernetes pod"
    return "unknown", None, "no lease, client, lifetime or configuration was found"


def ping(address: str, timeout_s: float = 2.0) -> bool | None:
    """Whether *address* answers an ICMP echo; None where we may not ask."""
    if ":" in address:
        code, _ = output_of(["ping", "-6", "-c", "1", "-W", "2", address], timeout_s + 2)
        return None if code in (126, 127) else code == 0
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    except OSError:
        return None
    ident = os.getpid() & 0xFFFF
    body = struct.pack("!BBHHH", 8, 0, 0, ident, 1) + b"interop-probe---"
    total = sum(struct.unpack(f"!{len(body) // 2}H", body))
    total = (total >> 16) + (total & 0xFFFF)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    body = body[:2] + struct.pack("!H", checksum) + body[4:]
    with sock:
        end = time.monotonic() + timeout_s
        try:
            sock.sendto(body, (address, 0))
            while (left := end - time.monotonic()) > 0:
                sock.settimeout(left)
                data, sender = sock.recvfrom(2048)
                offset = (data[0] & 15) * 4
                kind, _, _, got, _ = struct.unpack_from("!BBHHH", data, offset)
                if sender[0] == address and kind == 0 and got == ident:
                    return True
        except OSError:
            return False
    return False


@observation
def names(names: Iterable[str] = ()) -> Json:
    """The host name, what it and *names* resolve to, and the reverse of each address."""
    host = socket.gethostname()
    code, fqdn = output_of(["hostname", "-f"])
    asked = [host, *names]
    answers = dict(zip(asked, at_once(resolve, asked)))
    every = sorted({a for found in answers.values() for a in found} | set(own_addresses()))
    reverse = dict(zip(every, at_once(reverse_of, every)))
    resolver = [
        line.split() for line in text_of("/etc/resolv.conf").splitlines() if line[:1] not in "#;"
    ]
    return {
        "hostname": host,
        "fqdn": fqdn.strip() if code == 0 else "",
        "own": own_addresses(),
        "resolve": answers,
        "reverse": reverse,
        "servers": [words[1] for words in resolver if words[:1] == ["nameserver"] and words[1:]],
        "search": [w for words in resolver if words[:1] == ["search"] for w in words[1:]],
    }


def resolve(name: str) -> list[str]:
    """Addresses of a name as any program of this machine gets them; empty when there are none."""
    try:
        found = socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return []
    return sorted({str(item[4][0]).split("%")[0] for item in found})


def reverse_of(address: str) -> list[str]:
    """Names of an address."""
    try:
        name, aliases, _ = socket.gethostbyaddr(address)
    except (OSError, UnicodeError):
        return []
    return [name, *aliases]


@observation
def access() -> Json:
    """Who we are, whether we become root unasked, and whether passwords can log in."""
    import pwd

    user = os.environ.get("SUDO_USER")
    account = pwd.getpwnam(user) if user else pwd.getpwuid(os.getuid())
    user = account.pw_name
    keys = []
    for line in text_of(Path(account.pw_dir) / ".ssh" / "authorized_keys").splitlines():
        found = re.search(r"(?:ssh|ecdsa|sk)-\S+ (AAAA\S+)", line)
        if found and not line.startswith("#"):
            digest = sha256(base64.b64decode(found.group(1) + "=="))
            keys.append("SHA256:" + base64.b64encode(digest).decode().rstrip("="))
    program = next((p for p in ("/usr/sbin/sshd", "/sbin/sshd") if os.path.exists(p)), "sshd")
    code, said = output_of([program, "-T"], 20)
    settings = dict(line.split(None, 1) for line in said.splitlines() if " " in line)
    with_password = [
        line.split(":")[0]
        for line in text_of("/etc/shadow").splitlines()
        if line.count(":") > 1 and line.split(":")[1][:1] not in ("", "*", "!")
    ]
    return {
        "user": user,
        "root": os.geteuid() == 0,
        "by_sudo": "SUDO_USER" in os.environ,
        "authorized_keys": keys,
        "sshd": {
            name: settings.get(name, "").strip()
            for name in (
                "passwordauthentication",
                "kbdinteractiveauthentication",
                "permitrootlogin",
                "permitemptypasswords",
            )
        }
        if code == 0
        else {},
        "accounts_with_password": with_password,
    }


@observation
def init() -> Json:
    """What initialised this machine, whether that is finished, and what it complained about."""
    result = json_of("/run/cloud-init/result.json").get("v1")
    if result is not None or os.path.exists("/run/cloud-init/status.json"):
        log = text_of("/var/log/cloud-init.log")
        stages = json_of("/run/cloud-init/status.json").get("v1", {})
        errors = list((result or {}).get("errors", []))
        for stage in stages.values():
            if isinstance(stage, dict):
                errors += [e for e in stage.get("errors", []) if e not in errors]
        traces = log.count("Traceback (most recent call last)")
        return {
            "system": "cloud-init",
            "status": ("error" if errors else "done") if result is not None else "running",
            "errors": errors + ([f"{traces} tracebacks in its log"] if traces else []),
            "warnings": re.findall(r".*\[WARNING\]: (.*)", log)[:20],
            "datasource": (result or stages).get("datasource") or "",
        }
    told = text_of("/run/interop/init-status")
    if told:
        return {
            "system": "interop-init",
            "status": told.split()[0].replace("status:", "").strip() or told.split()[-1],
            "errors": [told] if "error" in told else [],
            "warnings": [],
            "datasource": "boot-service",
        }
    return {"system": "none", "status": "unknown", "errors": [], "warnings": [], "datasource": ""}


def json_of(path: str) -> Json:
    """A JSON object from a file, or an empty one."""
    try:
        value = json.loads(text_of(path))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


@observation
def metadata(url: str = "http://169.254.169.254", timeout_s: float = 3.0) -> Json:
    """The metadata service asked without a token, with a good one and with a made-up one."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80

    # Where nobody is, each question would take its whole time; one knock tells.
    there = knock(host, port, timeout_s)["state"] == "open"

    def ask(method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        if not there:
            return 0, ""
        import http.client

        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        try:
            connection.request(method, path, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read(65536).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    base = "/latest/meta-data"
    token_status, token = ask(
        "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    )
    token_given = token_status == 200 and bool(token)
    good = {"X-aws-ec2-metadata-token": token} if token_given else {}
    plain_status, _ = ask("GET", f"{base}/instance-id", {})
    bogus_status, _ = ask(
        "GET", f"{base}/instance-id", {"X-aws-ec2-metadata-token": "bm90LWEtdG9rZW4="}
    )
    status, instance = ask("GET", f"{base}/instance-id", good)
    public_status, public = ask("GET", f"{base}/public-ipv4", good)
    name_status, name = ask("GET", f"{base}/local-hostname", good)
    own_status, document = ask("GET", "/openstack/latest/meta_data.json", {})
    try:
        told = json.loads(document) if own_status == 200 else None
    except ValueError:
        told = None
    # OpenStack's own format has the id that its API tells; its EC2 format makes up another.
    own_id = str(told.get("uuid") or "") if isinstance(told, dict) else ""
    spoken = {"ec2": status == 200, "openstack": bool(own_id)}
    return {
        "url": url,
        "reachable": bool(plain_status or token_status),
        "token_offered": token_given,
        "status": status,
        "formats": [one for one, there in spoken.items() if there],
        "instance_id": own_id or (instance.strip() if status == 200 else ""),
        "without_token": plain_status,
        "with_bogus_token": bogus_status,
        "hostname": name.strip() if name_status == 200 else "",
        "public_ipv4": public.strip() if public_status == 200 else "",
    }


@observation
def user_data(url: str = "http://169.254.169.254") -> Json:
    """Digest and length of the user data as it arrived, and how often its script ran."""
    import http.client
    from urllib.parse import urlsplit

    data, source = b"", ""
    for file in ("/var/lib/cloud/instance/user-data.txt", str(HOME / "user-data")):
        with contextlib.suppress(OSError):
            data, source = Path(file).read_bytes(), file
            break
    if not source:
        with contextlib.suppress(OSError, http.client.HTTPException):
            parts = urlsplit(url)
            connection = http.client.HTTPConnection(
                parts.hostname or "", parts.port or 80, timeout=3
            )
            connection.request(
                "PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}
            )
            reply = connection.getresponse()
            token = reply.read(65536).decode("latin-1")
            headers = {"X-aws-ec2-metadata-token": token} if reply.status == 200 else {}
            connection.request("GET", "/latest/user-data", headers=headers)
            reply = connection.getresponse()
            if reply.status == 200:
                data, source = reply.read(1 << 20), "metadata service"
    return {
        "sha256": sha256(data).hex() if source else "",
        "bytes": len(data),
        "source": source,
        "runs": len(text_of(HOME / "user-data-runs").splitlines()),
    }


@observation
def clock() -> Json:
    """This machine's time, as early and as late as we can tell it, and who keeps it right."""
    return {
        "received": time.time(),
        "clocksource": text_of("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "synchronised": os.path.exists("/run/systemd/timesync/synchronized"),
        "sent": time.time(),
    }


@observation
def entropy() -> Json:
    """Whether random numbers are ready, and where they come from."""
    try:
        ready = len(os.getrandom(16, os.GRND_NONBLOCK)) == 16
    except BlockingIOError:
        ready = False
    ready_at = None
    with contextlib.suppress(OSError):
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        try:
            while True:
                line = os.read(log, 8192).decode("utf-8", "replace")
                if "crng init done" in line:
                    ready_at = int(line.split(",")[2]) / 1e6
        except (BlockingIOError, BrokenPipeError):
            pass
        finally:
            os.close(log)
    return {
        "getrandom_ready": ready,
        "entropy_avail": int(text_of("/proc/sys/kernel/random/entropy_avail", "0")),
        "hwrng": text_of("/sys/class/misc/hw_random/rng_current") or "none",
        "crng_ready_s": ready_at,
    }


@observation
def kernel() -> Json:
    """What the kernel is and what it lets us do. Nothing is changed for good."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        cgroup = 2
    else:
        cgroup = 1 if " cgroup " in text_of("/proc/self/mounts") else 0
    effective = re.search(r"^CapEff:\s*(\S+)", text_of("/proc/self/status"), re.MULTILINE)
    capabilities = int(effective.group(1), 16) if effective else 0
    cpu_flags = cpu()["flags"]
    return {
        "system": os.uname().sysname,
        "release": os.uname().release,
        "machine": os.uname().machine,
        "cgroup_version": cgroup,
        "user_namespaces": in_child(lambda libc: int(libc.unshare(0x10000000))),
        "module_loading": bool(capabilities >> 16 & 1)
        and text_of("/proc/sys/kernel/modules_disabled", "1") == "0",
        "sysctl_writable": can_rewrite("/proc/sys/kernel/panic"),
        "ebpf": in_child(make_bpf_map),
        "nested_virtualisation": bool({"vmx", "svm"} & set(cpu_flags)),
        "kvm_device": os.path.exists("/dev/kvm"),
        "shared_kernel": bool(text_of("/run/systemd/container")),
    }


def can_rewrite(path: str) -> bool:
    """Whether a setting accepts the value it has."""
    try:
        value = Path(path).read_bytes()
        Path(path).write_bytes(value)
    except OSError:
        return False
    return True


def in_child(call: Callable[[Any], int]) -> bool:
    """Whether a system call succeeds, tried in a child so that nothing of it stays."""
    import ctypes

    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if call(ctypes.CDLL(None, use_errno=True)) >= 0 else 1)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def make_bpf_map(libc: Any) -> int:
    """bpf(2), BPF_MAP_CREATE of a small array."""
    import ctypes

    number = {"x86_64": 321, "aarch64": 280}.get(os.uname().machine)
    if number is None:
        return -1
    wanted = ctypes.create_string_buffer(struct.pack("=IIII", 2, 4, 4, 1) + bytes(112))
    return int(libc.syscall(number, 0, wanted, 128))


@observation
def cpu() -> Json:
    """Processor model, flags, number and stolen time."""
    info = text_of("/proc/cpuinfo")
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", info, re.MULTILINE)
    model = re.search(r"^(?:model name|CPU part)\s*:\s*(.*)$", info, re.MULTILINE)
    ticks = [int(x) for x in text_of("/proc/stat").splitlines()[0].split()[1:]]
    memory = re.search(r"^MemTotal:\s*(\d+)", text_of("/proc/meminfo"), re.MULTILINE)
    return {
        "model": model.group(1).strip() if model else "",
        "flags": sorted(set(flags.group(1).split())) if flags else [],
        "count": len(os.sched_getaffinity(0)),
        "memory_mib": int(memory.group(1)) // 1024 if memory else 0,
        "steal_percent": round(100.0 * ticks[7] / max(1, sum(ticks)), 3) if len(ticks) > 7 else 0.0,
    }


# --- observations: disks and what survives -----------------------------------------------------


@observation
def disks() -> Json:
    """The root file system, and every block device this machine has a node for."""
    root = os.statvfs("/")
    source, kind = mount_source("/")
    device = os.path.basename(os.path.realpath(source)) if source.startswith("/dev/") else ""
    return {
        "root": {
            "source": source,
            "fs": kind,
            "bytes": root.f_blocks * root.f_frsize,
            "device": whole_disk(device),
            "device_bytes": sectors(whole_disk(device)) * 512 if device else 0,
        },
        "devices": block_devices(),
    }


def mount_source(target: str) -> tuple[str, str]:
    """Device and type of the file system mounted last on *target*."""
    found = ("", "")
    for line in text_of("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        if left.split()[4] == target:
            words = right.split()
            found = (words[1], words[0])
    if found[0] == "/dev/root":
        root = re.search(r"\broot=(/dev/\S+)", text_of("/proc/cmdline"))
        found = (root.group(1) if root else found[0], found[1])
    return found


def whole_disk(device: str) -> str:
    """The disk a partition is on; a disk is on itself."""
    path = Path("/sys/class/block") / device
    if device and (path / "partition").exists():
        return path.resolve().parent.name
    return device


def sectors(device: str) -> int:
    """Size in units of 512 bytes."""
    return int(text_of(f"/sys/class/block/{device}/size", "0") or 0)


def block_devices() -> list[Json]:
    """Block devices with a node in /dev, but no loop, ram or floppy without content."""
    links: dict[str, list[str]] = {}
    for link in glob.glob("/dev/disk/by-id/*"):
        links.setdefault(os.path.realpath(link), []).append(os.path.basename(link))
    mounted: dict[str, list[str]] = {}
    for line in text_of("/proc/self/mounts").splitlines():
        words = line.split()
        if words[0].startswith("/dev/"):
            mounted.setdefault(os.path.realpath(words[0]), []).append(words[1])
    found = []
    for node in sorted(Path("/dev").iterdir()):
        try:
            about = node.lstat()
        except OSError:
            continue
        if not stat.S_ISBLK(about.st_mode):
            continue
        number = f"{os.major(about.st_rdev)}:{os.minor(about.st_rdev)}"
        name = os.path.basename(os.path.realpath(f"/sys/dev/block/{number}"))
        size = sectors(name) * 512
        if not size or node.name.startswith(("loop", "ram", "fd", "sr")):
            continue
        found.append(
            {
                "node": str(node),
                "kernel_name": name,
                "bytes": size,
                "partition": os.path.exists(f"/sys/class/block/{name}/partition"),
                "serial": serial_of(name),
                "by_id": sorted(links.get(str(node), [])),
                "mounts": mounted.get(str(node), []),
                "read_only": text_of(f"/sys/class/block/{name}/ro") == "1",
            }
        )
    return found


def serial_of(name: str) -> str:
    """A disk's serial number as its driver tells it."""
    for file in ("serial", "device/serial", "device/wwid", "wwid"):
        found = text_of(f"/sys/class/block/{name}/{file}")
        if found:
            return found
    with contextlib.suppress(OSError):
        page = Path(f"/sys/class/block/{name}/device/vpd_pg80").read_bytes()
        return page[4:].decode("ascii", "replace").strip()
    return ""


def pattern(token: str, size: int) -> bytes:
    """*size* bytes that only *token* gives."""
    blocks = (size + 31) // 32
    return b"".join(sha256(f"{token}/{n}".encode()) for n in range(blocks))[:size]


@observation
def write_pattern(path: str, token: str, size: int = 65536, offset: int = 0) -> Json:
    """Write a pattern to a file or device and sync it; returns once the kernel acknowledged."""
    data = pattern(token, size)
    fresh = not os.path.exists(path)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | (os.O_CREAT if fresh else 0), 0o600)
    try:
        os.lseek(handle, offset, os.SEEK_SET)
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    if fresh:
        folder = os.open(str(Path(path).parent), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    return {"path": path, "bytes": size, "sha256": sha256(data).hex()}


@observation
def read_pattern(path: str, token: str, size: int = 65536, offset: int = 0) -> Json:
    """Whether the pattern is there, whole."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(size)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        return {"path": path, "there": False, "whole": False, "error": why}
    wanted = pattern(token, size)
    good = sum(data[n : n + 512] == wanted[n : n + 512] for n in range(0, size, 512))
    return {
        "path": path,
        "there": bool(data.strip(b"\0")),
        "whole": data == wanted,
        "good_sectors": good,
        "sectors": (size + 511) // 512,
        "error": "",
    }


@observation
def say(text: str) -> Json:
    """Print one line on the console."""
    with open("/dev/console", "w", encoding="utf-8") as console:
        console.write(f"\r\n{text}\r\n")
    return {"said": text, "at": time.time()}


@observation
def burn(seconds: float = 2.0) -> Json:
    """Keep every processor busy for a while."""
    children = []
    for _ in range(os.cpu_count() or 1):
        child = os.fork()
        if child == 0:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                sha256(bytes(65536))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return {"processors": len(children), "seconds": seconds}


@observation
def service(port: int = HTTP_PORT) -> Json:
    """Whether our own server runs, since when, and when it was told to stop before."""
    status, said = fetch("127.0.0.1", port, "/health")
    return {
        "running": status == 200,
        "health": said if isinstance(said, dict) else {},
        "boot": boot_identity(),
        "stops": json_of(str(HOME / "stops.json")).get("stops", []),
    }


@observation
def chain(port: int = HTTP_PORT, key: str = "chain", patience_s: float = 60.0) -> Json:
    """Write an item through every role to the store and read it back; ends with who passed it on.

    Raises:
        SystemExit: that did not work in time; says what was answered last.
    """
    value = os.urandom(16).hex().encode()
    begun = time.monotonic()
    while True:
        written, said = fetch("127.0.0.1", port, f"/items/{key}", 10.0, "PUT", value)
        if written == 200:
            break
        if time.monotonic() - begun > patience_s:
            raise SystemExit(f"no item gets through: status {written}, {said}")
        time.sleep(0.5)
    status, read = fetch("127.0.0.1", port, f"/items/{key}", 10.0)
    if status != 200 or base64.b64decode(read["value"]) != value:
        raise SystemExit(f"another item came back: status {status}, {read}")
    return {"path": read["path"], "seconds": time.monotonic() - begun}


# --- observations: the data path ---------------------------------------------------------------


def knock(host: str, port: int, timeout_s: float) -> Json:
    """Connect by TCP: open, refused, unreachable, or silent (nothing came back)."""
    begun = time.monotonic()
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
        state = "open"
    except TimeoutError:
        state = "silent"
    except ConnectionRefusedError:
        state = "refused"
    except OSError as error:
        state = "silent" if error.errno == errno.ETIMEDOUT else "unreachable"
    return {"host": host, "port": port, "state": state, "seconds": time.monotonic() - begun}


@observation
def tcp(targets: Iterable[Iterable[Any]], timeout_s: float = 3.0) -> Json:
    """Connect to each (host, port)."""
    pairs = [(str(host), int(port)) for host, port in targets]
    return {"results": at_once(lambda pair: knock(pair[0], pair[1], timeout_s), pairs)}


def ask_udp(host: str, port: int, message: Json, timeout_s: float, tries: int = 3) -> Json:
    """Send a question by UDP and return the answer with the four times, or an empty object."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        for _ in range(tries):
            sock.settimeout(timeout_s / tries)
            try:
                first = time.time()
                sock.sendto(json.dumps(message).encode(), (host, port))
                data, _ = sock.recvfrom(65536)
                last = time.time()
                answer = json.loads(data)
            except (OSError, ValueError):
                continue
            if isinstance(answer, dict):
                return {**answer, "t1": first, "t4": last}
    return {}


@observation
def mesh(
    peers: Iterable[Json],
    tcp: Iterable[int] = (HTTP_PORT,),
    udp: Iterable[int] = (UDP_PORT,),
    timeout_s: float = 4.0,
) -> Json:
    """Reach each peer on each port; who answered is told, so that a wrong one is noticed."""

    def by_tcp(peer: Json, port: int) -> Json:
        seen = knock(peer["address"], port, timeout_s)
        status, said = (0, None)
        if seen["state"] == "open":
            status, said = fetch(peer["address"], port, "/health", timeout_s)
        name = said.get("name", "") if isinstance(said, dict) else ""
        return {**seen, "peer": peer["name"], "protocol": "tcp", "answered": name, "http": status}

    def by_udp(peer: Json, port: int) -> Json:
        begun = time.monotonic()
        said = ask_udp(peer["address"], port, {"op": "ping"}, timeout_s)
        return {
            "host": peer["address"],
            "port": port,
            "state": "open" if said else "silent",
            "seconds": time.monotonic() - begun,
            "peer": peer["name"],
            "protocol": "udp",
            "answered": said.get("name", ""),
        }

    listed = list(peers)
    jobs = [(by_tcp, peer, port) for peer in listed for port in tcp]
    jobs += [(by_udp, peer, port) for peer in listed for port in udp]
    return {"results": at_once(lambda job: job[0](job[1], job[2]), jobs)}


@observation
def skew(peers: Iterable[Json], port: int = UDP_PORT, samples: int = 5) -> Json:
    """Offset of each peer's clock to ours by four timestamps (RFC 5905, section 8)."""

    def measure(peer: Json) -> Json:
        best: Json | None = None
        for _ in range(samples):
            said = ask_udp(peer["address"], port, {"op": "ping"}, 2.0)
            if "t2" not in said:
                continue
            trip = (said["t4"] - said["t1"]) - (said["t3"] - said["t2"])
            offset = ((said["t2"] - said["t1"]) + (said["t3"] - said["t4"])) / 2
            if best is None or trip < best["round_trip_s"]:
                best = {"peer": peer["name"], "offset_s": offset, "round_trip_s": trip}
        return best or {"peer": peer["name"], "offset_s": None, "round_trip_s": None}

    return {"results": at_once(measure, peers)}


IP_MTU_DISCOVER, IP_MTU, DO, PROBE = 10, 14, 2, 3
OVERHEAD = 28  # IPv4 and UDP headers


@observation
def path_mtu(address: str, port: int = UDP_PORT, timeout_s: float = 2.0) -> Json:
    """The link's MTU and what the path to a peer carries with "don't fragment" set (RFC 1191)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        mine = sock.getsockname()[0]
    name = next((a["interface"] for a in addresses() if a["address"] == mine), "")
    link = next((i["mtu"] for i in interfaces() if i["name"] == name), 0)

    def send(size: int, mode: int, wait_s: float, tries: int = 2) -> tuple[str, int]:
        """Outcome (echoed, refused, silent) of one datagram of *size* bytes, and the known MTU."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, mode)
            sock.connect((address, port))
            sock.settimeout(wait_s / tries)
            head = f"MTU {size} ".encode()
            outcome = "silent"
            for _ in range(tries):
                try:
                    sock.send(head.ljust(size - OVERHEAD, b"."))
                    if sock.recv(65536) == f"GOT {size - OVERHEAD}".encode():
                        outcome = "echoed"
                        break
                except TimeoutError:
                    continue
                except OSError as error:
                    if error.errno == errno.EMSGSIZE:
                        outcome = "refused"
                        break
            return outcome, sock.getsockopt(socket.IPPROTO_IP, IP_MTU)

    at, known = send(link, DO, timeout_s)
    above, _ = send(link + 1, DO, timeout_s)
    path = link if at == "echoed" else 0
    if at == "refused" and 0 < known < link:
        path = known if send(known, DO, timeout_s)[0] == "echoed" else 0
    if not path:  # no help from ICMP: search
        low, high = 576, link
        while low < high:
            middle = (low + high + 1) // 2
            if send(middle, PROBE, 0.6)[0] == "echoed":
                low = middle
            else:
                high = middle - 1
        path = low if send(low, PROBE, timeout_s)[0] == "echoed" else 0
    return {
        "interface": name,
        "link_mtu": link,
        "path_mtu": path,
        "at_link_mtu": at,
        "above_link_mtu": above,
        "icmp_seen": at == "refused",
    }


@observation
def layer2(peers: Iterable[Json], port: int = UDP_PORT, group: str = GROUP) -> Json:
    """Who answers ARP for each peer, and whether broadcast and multicast arrive there."""
    import ipaddress

    listed = list(peers)
    for peer in listed:
        ask_udp(peer["address"], port, {"op": "ping"}, 2.0)
    table = neighbours()
    token = os.urandom(8).hex()
    mine = [a for a in addresses() if a["scope"] == "global" and a["family"] == "ipv4"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        for _ in range(2):
            for item in mine:
                net = ipaddress.ip_network(f"{item['address']}/{item['prefix']}", strict=False)
                mark(sock, (str(net.broadcast_address), port), f"broadcast-{token}")
            mark(sock, (group, port), f"multicast-{token}")
            time.sleep(0.2)
    results = []
    for peer in listed:
        seen = ask_udp(peer["address"], port, {"op": "seen"}, 2.0).get("marks", [])
        results.append(
            {
                "peer": peer["name"],
                "address": peer["address"],
                "arp": table.get(peer["address"], ""),
                "broadcast": f"broadcast-{token}" in seen,
                "multicast": f"multicast-{token}" in seen,
            }
        )
    return {"results": results}


def mark(sock: socket.socket, target: tuple[str, int], token: str) -> None:
    """Leave a mark with whoever hears it."""
    with contextlib.suppress(OSError):
        sock.sendto(json.dumps({"op": "mark", "token": token}).encode(), target)


@observation
def facts(names: Iterable[str] = (), parts: Iterable[str] = ()) -> Json:
    """Many cheap observations at once: starting Python is what costs on a slow guest."""
    chosen = list(parts) or [
        "identity",
        "addressing",
        "names",
        "access",
        "init",
        "metadata",
        "entropy",
        "kernel",
        "cpu",
        "disks",
        "service",
    ]

    def one(part: str) -> Json:
        try:
            return OBSERVATIONS[part](names) if part == "names" else OBSERVATIONS[part]()
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}

    return {part: one(part) for part in chosen}


# --- the server of a role ----------------------------------------------------------------------


def fetch(
    host: str, port: int, path: str, timeout_s: float = 5.0, method: str = "GET", body: bytes = b""
) -> tuple[int, Any]:
    """Status and JSON (or text) of one HTTP request; status 0 when there was no whole answer."""
    head = f"{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
    data = b""
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as line:
            line.sendall(head.encode() + body)
            while len(data) < 2 << 20 and (piece := line.recv(1 << 16)):
                data += piece
    except OSError:
        return 0, None
    told, _, content = data.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", told)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", told)
    if status is None or (length is not None and len(content) < int(length[1])):
        return 0, None
    try:
        return int(status[1]), json.loads(content)
    except ValueError:
        return int(status[1]), content.decode("utf-8", "replace")


class Role:
    """The server's state: which role, whom to ask, where data is kept, which marks were heard."""

    def __init__(self, config: Json) -> None:
        self.name = str(config.get("name") or socket.gethostname())
        self.role = str(config.get("role") or "none")
        self.upstreams = [str(item) for item in config.get("upstreams", []) if item]
        self.data = Path(str(config.get("data") or HOME / "items"))
        self.port = int(config.get("port", HTTP_PORT))
        self.started = time.time()
        self.marks: list[str] = []
        self.turn = 0

    def health(self) -> Json:
        """What ``/health`` answers."""
        return {
            "name": self.name,
            "role": self.role,
            "version": VERSION,
            "hostname": socket.gethostname(),
            "boot": boot_identity(),
            "started": self.started,
            "pid": os.getpid(),
            "time": time.time(),
        }

    def item(self, method: str, key: str, body: bytes) -> tuple[int, Json]:
        """Read or write one item: the store does it, the others ask the next in the chain."""
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", key) or key.startswith("."):
            return 400, {"error": "a key has 1 to 64 letters, digits, dots or dashes"}
        if self.role == "store" or not self.upstreams:
            return self.keep(method, key, body)
        self.turn += 1
        order = self.upstreams[self.turn % len(self.upstreams) :] + self.upstreams
        for upstream in dict.fromkeys(order):
            host, _, port = upstream.rpartition(":")
            status, said = fetch(host.strip("[]"), int(port), f"/items/{key}", 5.0, method, body)
            if status and isinstance(said, dict):
                said.setdefault("path", []).insert(0, self.name)
                return status, said
        return 502, {"error": f"no answer from {', '.join(self.upstreams)}", "path": [self.name]}

    def keep(self, method: str, key: str, body: bytes) -> tuple[int, Json]:
        """Read or write an item on the volume; a write is synced before it is answered."""
        path = self.data / key
        if method == "PUT":
            self.data.mkdir(parents=True, exist_ok=True)
            fresh = self.data / f".{key}.{os.urandom(4).hex()}"
            with fresh.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            folder = os.open(str(self.data), os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        try:
            value = path.read_bytes()
        except OSError:
            return 404, {"error": f"no item {key}", "path": [self.name]}
        return 200, {
            "key": key,
            "value": base64.b64encode(value).decode(),
            "sha256": sha256(value).hex(),
            "path": [self.name],
        }


def handler_of(role: Role) -> type[BaseHTTPRequestHandler]:
    """HTTP in front of a role."""
    from http.server import BaseHTTPRequestHandler
    from urllib.parse import unquote, urlsplit

    class Handler(BaseHTTPRequestHandler):
        """Answers one connection."""

        protocol_version = "HTTP/1.1"
        timeout = 30

        def answer(self, status: int, value: Json) -> None:
            """Send JSON."""
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self) -> None:
            """Health, the caller's address as seen here, or an item."""
            path = unquote(urlsplit(self.path).path)
            if path == "/health":
                self.answer(200, role.health())
            elif path == "/echo":
                self.answer(200, {"address": self.client_address[0], "name": role.name})
            elif path.startswith("/items/"):
                self.answer(*role.item("GET", path[7:], b""))
            else:
                self.answer(404, {"error": f"no such thing as {path}"})

        def do_PUT(self) -> None:
            """Write an item of at most 1 MiB."""
            path = unquote(urlsplit(self.path).path)
            length = int(self.headers.get("Content-Length") or 0)
            if not path.startswith("/items/") or not 0 <= length <= 1 << 20:
                self.answer(400, {"error": "PUT /items/KEY with at most 1 MiB"})
                return
            try:
                self.answer(*role.item("PUT", path[7:], self.rfile.read(length)))
            except OSError as error:
                self.answer(507, {"error": os.strerror(error.errno or 0), "path": [role.name]})

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: logs of a probe help nobody."""

    return Handler


def serve_udp(role: Role, sock: socket.socket) -> None:
    """Answer pings with times, echo the length of MTU datagrams, remember marks."""
    while True:
        data, sender = sock.recvfrom(65536)
        heard = time.time()
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if data.startswith(b"MTU "):
                sock.sendto(f"GOT {len(data)}".encode(), sender)
                continue
            said = json.loads(data)
            if said.get("op") == "mark":
                role.marks = [*role.marks[-63:], str(said.get("token"))[:80]]
                continue
            answer: Json = {"op": "pong", "name": role.name, "t2": heard}
            if said.get("op") == "seen":
                answer["marks"] = role.marks
            answer["t3"] = time.time()
            sock.sendto(json.dumps(answer).encode(), sender)


def serve(config: Json) -> int:
    """Serve a role until told to stop; the stop is written down and synced."""
    import signal
    import threading
    from http.server import ThreadingHTTPServer

    role = Role(config)
    HOME.mkdir(parents=True, exist_ok=True)
    if config.get("volume"):
        attach_volume(
            str(config["volume"].get("id", "")), str(config["volume"]["mount"]), fresh=False
        )

    def stop(number: int, _frame: object) -> None:
        note_stop(number)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    handler = handler_of(role)
    everywhere = "0.0.0.0"  # noqa: S104 - serving the members is the purpose
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind((everywhere, int(config.get("udp_port", UDP_PORT))))
    with contextlib.suppress(OSError):  # without a multicast route nothing is heard
        group = socket.inet_aton(GROUP) + socket.inet_aton(everywhere)
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    threading.Thread(target=serve_udp, args=(role, udp), daemon=True).start()
    shut = ThreadingHTTPServer((everywhere, int(config.get("shut_port", SHUT_PORT))), handler)
    threading.Thread(target=shut.serve_forever, daemon=True).start()
    ThreadingHTTPServer((everywhere, role.port), handler).serve_forever()
    return 0


def note_stop(number: int) -> None:
    """Write down that we were told to stop, so that it can be read after the next boot."""
    file = HOME / "stops.json"
    stops = json_of(str(file)).get("stops", [])[-20:]
    stops.append({"signal": number, "at": time.time(), "boot": boot_identity()})
    fresh = HOME / "stops.json.new"
    with fresh.open("w", encoding="utf-8") as out:
        json.dump({"stops": stops}, out)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
    folder = os.open(str(HOME), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


# --- volumes and starting at boot --------------------------------------------------------------


def find_volume(wanted: str) -> Json | None:
    """The data disk: the one whose identity has *wanted* in it, else the only unused one."""
    root = disks()["root"]["device"]
    free = [
        d
        for d in block_devices()
        if not d["partition"] and d["kernel_name"] != root and not d["read_only"]
    ]
    plain = wanted.replace("-", "").lower()
    if plain:
        for device in free:
            told = [device["serial"], device["node"], *device["by_id"]]
            if any(plain in text.replace("-", "").lower() for text in told):
                return device
    unused = [d for d in free if not [m for m in d["mounts"] if m in ("/", "/boot")]]
    parts = [whole_disk(d["kernel_name"]) for d in block_devices() if d["partition"]]
    unused = [d for d in unused if d["kernel_name"] not in parts]
    return unused[0] if len(unused) == 1 else None


def attach_volume(wanted: str, mount: str, fresh: bool, patience_s: float = 60.0) -> str:
    """Mount the data volume. Returns its node.

    With *fresh* it gets a new file system, unless it has the one that was made on this very
    machine: a disk may still have what somebody else wrote.

    Raises:
        SystemExit: there is no such volume, or it cannot be made usable.
    """
    import shutil

    if os.path.ismount(mount):
        return mount_source(mount)[0]
    end = time.monotonic() + patience_s
    device = find_volume(wanted)
    while device is None and time.monotonic() < end:
        time.sleep(0.5)
        device = find_volume(wanted)
    if device is None:
        raise SystemExit(f"no data volume {wanted or '(any)'} among {block_devices()}")
    node = str(device["node"])
    made = HOME / "volume-uuid"
    if fresh and (not uuid_of(node) or uuid_of(node) != text_of(made)):
        program = shutil.which("mkfs.ext4") or shutil.which("mke2fs") or "mkfs.ext4"
        code, said = output_of([program, "-q", "-F", "-t", "ext4", node], 120)
        if code:
            raise SystemExit(f"cannot make a file system on {node}: {said.strip() or code}")
        os.sync()
        HOME.mkdir(parents=True, exist_ok=True)
        made.write_text(uuid_of(node), encoding="utf-8")
    Path(mount).mkdir(parents=True, exist_ok=True)
    code, said = output_of(["mount", "-t", "ext4", node, mount], 30)
    if code:
        raise SystemExit(f"cannot mount {node}: {said.strip() or code}")
    return node


def uuid_of(node: str) -> str:
    """UUID of an ext2, ext3 or ext4 file system; empty where there is none."""
    with open(node, "rb") as disk:
        disk.seek(1024)
        block = disk.read(1024)
    return block[104:120].hex() if block[56:58] == b"\x53\xef" else ""


UNIT = """[Unit]
Description=Interop reference workload
After=network.target

[Service]
ExecStart={command}
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def enable(config: str) -> int:
    """Have the server run now and after each boot: by systemd, else by /etc/rc.local."""
    import subprocess

    words = [sys.executable, os.path.abspath(__file__), "serve", "--config", config]
    port = int(json_of(config).get("port", HTTP_PORT))
    if os.path.isdir("/run/systemd/system"):
        unit = Path("/etc/systemd/system/interop-probe.service")
        unit.write_text(UNIT.format(command=" ".join(words)), encoding="utf-8")
        for command in (["daemon-reload"], ["enable", "-q", unit.name], ["restart", unit.name]):
            code, said = output_of(["systemctl", *command], 60)
            if code:
                raise SystemExit(f"systemctl {' '.join(command)}: {said.strip() or code}")
    else:
        end_server()
        start_at_boot(words)
        log = open("/var/log/interop-probe.log", "ab")  # noqa: SIM115 - lives on in the child
        subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    os.sync()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if fetch("127.0.0.1", port, "/health")[0] == 200:
            return 0
        time.sleep(0.2)
    raise SystemExit(f"the probe's server did not answer on port {port} within 60 s")


def end_server() -> None:
    """Stop a server of ours that is running."""
    import signal

    for path in glob.glob("/proc/[0-9]*/cmdline"):
        words = text_of(path).split("\0")
        mine = os.path.abspath(__file__)
        if mine in words and "serve" in words and int(path.split("/")[2]) != os.getpid():
            with contextlib.suppress(OSError):
                os.kill(int(path.split("/")[2]), signal.SIGTERM)
                time.sleep(0.3)


def start_at_boot(words: list[str]) -> None:
    """Put the server's line into /etc/rc.local, once, before any ``exit``."""
    file = Path("/etc/rc.local")
    lines = text_of(file, "#!/bin/sh").splitlines()
    kept = [line for line in lines if "# interop-probe" not in line]
    command = " ".join(words)
    start = f"{command} </dev/null >>/var/log/interop-probe.log 2>&1 & # interop-probe"
    place = next((n for n, line in enumerate(kept) if line.strip().startswith("exit")), len(kept))
    fresh = file.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as out:
        out.write("\n".join([*kept[:place], start, *kept[place:]]) + "\n")
        out.flush()
        os.fsync(out.fileno())
    fresh.chmod(0o755)
    fresh.replace(file)


# --- the command -------------------------------------------------------------------------------


def become_root() -> None:
    """Run again as root where sudo lets us without a password; go on as we are where not."""
    if os.geteuid() == 0 or os.environ.get("INTEROP_PROBE_NO_SUDO"):
        return
    code, _ = output_of(["sudo", "-n", "true"])
    if code == 0:
        os.execvp(  # noqa: S606 - ourselves, with our own arguments
            "sudo", ["sudo", "-n", sys.executable, os.path.abspath(__file__), *sys.argv[1:]]
        )


def main(argv: list[str]) -> int:
    """Parse the command line and do it."""
    if len(argv) in (2, 3) and argv[0] == "observe" and argv[1] in OBSERVATIONS:
        become_root()
        seen = OBSERVATIONS[argv[1]](**json.loads("".join(argv[2:]) or "{}"))
        sys.stdout.write(json.dumps(seen, sort_keys=True) + "\n")
        return 0
    import argparse

    parser = argparse.ArgumentParser(description="The reference workload's probe.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("serve", "enable"):
        commands.add_parser(name).add_argument("--config", required=True)
    volume = commands.add_parser("volume")
    volume.add_argument("--mount", required=True)
    volume.add_argument("--id", default="")
    look = commands.add_parser("observe")
    look.add_argument("name", choices=sorted(OBSERVATIONS))
    look.add_argument("args", nargs="?")
    chosen = parser.parse_args(argv)
    become_root()
    if chosen.command == "serve":
        return serve(json.loads(Path(chosen.config).read_text(encoding="utf-8")))
    if chosen.command == "enable":
        return enable(chosen.config)
    sys.stdout.write(attach_volume(chosen.id, chosen.mount, fresh=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
