"""What the small image does at each boot: user-data once per instance, then /etc/rc.local."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

INTEROP = Path("/var/lib/interop")
STATUS = Path("/run/interop/init-status")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def tell(phase: str, text: str) -> None:
    """Tell the boot service; it need not be there after the installation."""
    try:
        member = json.loads((INTEROP / "member").read_text())
        request = urllib.request.Request(  # noqa: S310 - the service that installed us
            f"{member['url']}/progress",
            json.dumps({"phase": phase, "text": text}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {member['token']}"},
        )
        urllib.request.urlopen(request, timeout=3).close()  # noqa: S310
    except (OSError, ValueError, KeyError) as error:
        print(f"interop: the boot service was not told {phase}: {error}", flush=True)  # noqa: T201


def run_user_data(folder: Path) -> str:
    """Run the user-data if it is a script; returns what went wrong."""
    script = INTEROP / "user-data"
    content = script.read_bytes() if script.exists() else b""
    if not content.strip():
        return ""
    if not content.startswith(b"#!"):
        return "user-data is not a script: only #! is understood here"
    copy = folder / "user-data"
    copy.touch(0o700)
    copy.write_bytes(content)
    copy.chmod(0o700)
    with Path("/var/log/user-data.log").open("ab") as log:
        running = subprocess.Popen(
            [str(copy)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": PATH, "HOME": "/root"},
        )
        assert running.stdout is not None  # noqa: S101 - asked for above
        for line in running.stdout:
            log.write(line)
            print(line.decode(errors="replace"), end="", flush=True)  # noqa: T201
    code = running.wait()
    return f"user-data exited with {code}" if code else ""


def main() -> None:
    """Initialise, and keep the outcome where `interop-init status` finds it."""
    meta = json.loads((INTEROP / "meta-data").read_text())
    folder = INTEROP / "instances" / str(meta["instance-id"]).replace("/", "_")
    done = folder / "done"
    if done.exists():
        problem = done.read_text()
    else:
        folder.mkdir(parents=True, exist_ok=True)
        problem = run_user_data(folder)
        done.write_text(problem)
        os.sync()
    local = Path("/etc/rc.local")
    if os.access(local, os.X_OK):
        subprocess.run([str(local)], check=False, cwd="/", env={"PATH": PATH, "HOME": "/root"})
    STATUS.write_text(f"status: error\n{problem}\n" if problem else "status: done\n")
    print(f"interop: initialised: {problem or 'done'}", flush=True)  # noqa: T201
    tell("error" if problem else "done", problem or "initialised")


if __name__ == "__main__":
    main()
