"""Build Kubernetes from Debian's source package, once; the result is kept in the images' cache.

Debian 12 ships Kubernetes 1.20.2 as source. Its reflect2 1.0.1 makes every POST panic when built
with Go 1.18 or later, so it is replaced by Debian's own 1.0.2. What else a cluster needs (etcd,
containerd, runc, CNI plugins) is unpacked beside it from Debian's packages and not installed, so
that no service starts on the host.

A build that broke off goes on where it was: Go keeps what it has compiled in the work folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from provisioner.errors import Conflict, PlatformFault
from provisioner.lab import rootfs
from provisioner.lab.images import COMPLETE

VERSION = "1.20.2"
SOURCE = "1.20.5+really1.20.2"  # Debian's upstream version; its patches touch only kubectl
PATCH = "golang-github-modern-go-reflect2-dev"
PATCHED = "vendor/github.com/modern-go/reflect2"
TAGS = "providerless,dockerless"
TARGETS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
# program -> Debian package; with them Kubernetes is built
TOOLS: Mapping[str, str] = {
    "go": "golang-go", "make": "make", "rsync": "rsync", "jq": "jq", "dpkg-deb": "dpkg",
    "tar": "tar",
}  # fmt: skip
# the same, for a cluster to run
RUNTIME: Mapping[str, str] = {
    "iptables": "iptables", "conntrack": "conntrack", "ipset": "ipset", "ethtool": "ethtool",
    "socat": "socat", "mke2fs": "e2fsprogs",
}  # fmt: skip
UNPACKED = ("etcd-server", "containerd", "runc", "containernetworking-plugins")
KEPT = {"usr/bin": "bin", "usr/sbin": "bin", "usr/lib/cni": "cni"}  # folders of these packages
GENERATORS_HINT = "(2 of 16 minutes)"
PREFIX = f"kubernetes-{VERSION}-"
Say = Callable[[str], None]


def found(cache: Path) -> Path | None:
    """The newest finished build in *cache*, whichever Go made it."""
    done = [path.parent for path in cache.glob(f"{PREFIX}*/{COMPLETE}")]
    return max(done, key=lambda path: path.stat().st_mtime, default=None)


def missing(programs: Mapping[str, str]) -> list[str]:
    """The Debian packages of those programs that are not installed."""
    lacking = {package for name, package in programs.items() if shutil.which(name) is None}
    return sorted(lacking)


def needed(cache: Path) -> Mapping[str, str]:
    """The programs that are needed: to build and to run, or to run what is built."""
    return RUNTIME if found(cache) is not None else {**TOOLS, **RUNTIME}


def install(packages: Sequence[str], say: Say) -> None:
    """Install Debian packages.

    Raises:
        PlatformFault: apt-get failed.
    """
    say(f"installing {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _checked(["apt-get", "-qq", "update"], environment=environment)
    command = ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages]
    _checked(command, environment=environment)


def build(cache: Path, say: Say) -> Path:
    """The folder with the binaries, built if need be.

    Raises:
        PlatformFault: a package is missing, or a step failed; the work is kept to go on from.
        Conflict: another process builds.
    """
    done = found(cache)
    if lacking := missing(needed(cache)):
        raise PlatformFault(
            f"to build Kubernetes: apt-get install --no-install-recommends {' '.join(lacking)}"
            " (or give --install)"
        )
    if done is not None and missing(TOOLS):
        return done  # kept from elsewhere; nobody here could build another
    go = _checked(["go", "version"]).split()[2]
    final = cache / f"{PREFIX}{_key(go)}"
    if (final / COMPLETE).exists():
        return final
    work = cache / f".{final.name}.work"
    with _alone(cache, final.name):
        work.mkdir(exist_ok=True)
        sources = _step(work, "sources", lambda: _fetch(work, say))
        tree = work / "src/k8s.io/kubernetes"
        _step(work, "unpacked", lambda: _unpack(sources, work, tree, say))
        environment = _environment(work)
        _step(work, "generated", lambda: _make(
            ["generated_files"], tree, environment, f"generating code {GENERATORS_HINT}", say
        ))  # fmt: skip
        _make([f"WHAT={' '.join(f'cmd/{name}' for name in TARGETS)}"], tree, environment,
              "compiling (14 of 16 minutes)", say)  # fmt: skip
        fresh = cache / f".{final.name}.part"
        shutil.rmtree(fresh, ignore_errors=True)
        collect(tree / "_output/bin", sources, fresh)
        (fresh / COMPLETE).touch()
        fresh.rename(final)
        say("removing the build tree")
        shutil.rmtree(work)
    return final


def collect(compiled: Path, sources: Path, target: Path) -> None:
    """Put into the new folder *target*: what was compiled, and the runtime's packages unpacked."""
    for folder in ("bin", "cni"):
        (target / folder).mkdir(parents=True)
    for name in TARGETS:
        shutil.copy2(compiled / name, target / "bin" / name)
    unpacked = target / "unpacked"
    for package in UNPACKED:
        (archive,) = sources.glob(f"{package}_*.deb")
        _checked(["dpkg-deb", "-x", str(archive), str(unpacked)])
    for source, place in KEPT.items():
        for file in sorted((unpacked / source).glob("*")):
            shutil.copy2(file, target / place / file.name)
    shutil.rmtree(unpacked)


def _key(go: str) -> str:
    """What the binaries depend on."""
    text = "\n".join((SOURCE, PATCH, TAGS, go, *TARGETS, *UNPACKED))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _step(work: Path, name: str, call: Callable[[], None]) -> Path:
    """Do a step unless it is done; returns its folder."""
    done = work / f"{name}.done"
    if not done.exists():
        call()
        done.touch()
    return work / name


def _fetch(work: Path, say: Say) -> None:
    """Sources and packages from the host's own mirrors, verified by apt.

    The host's apt need not know of sources: it gets a configuration of its own for this.
    """
    say("fetching the source package and the runtime's packages")
    folder = work / "sources"
    shutil.rmtree(folder, ignore_errors=True)
    lists = work / "apt"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    folder.mkdir()
    lines = rootfs.sources()
    file = work / "sources.list"
    named = [line.replace("deb ", "deb-src ", 1) for line in lines] + lines
    file.write_text("\n".join(named) + "\n", encoding="utf-8")
    settings = {
        "Dir::Etc::sourcelist": str(file), "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": str(lists), "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "",
        "Acquire::Languages": "none", "Acquire::Retries": "3", "APT::Sandbox::User": "root",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    }  # fmt: skip
    options = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
    _checked(["apt-get", "-q", *options, "update"], folder)
    _checked(["apt-get", "-q", *options, "--download-only", "source", "kubernetes"], folder)
    _checked(["apt-get", "-q", *options, "download", PATCH, *UNPACKED], folder)
    if not (folder / f"kubernetes_{SOURCE}.orig.tar.gz").exists():
        has = ", ".join(sorted(path.name for path in folder.glob("kubernetes_*.orig.*"))) or "none"
        raise PlatformFault(f"apt has no source of Kubernetes {SOURCE}; it has {has}")


def _unpack(sources: Path, work: Path, tree: Path, say: Say) -> None:
    say("unpacking and patching reflect2")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    (work / "home").mkdir(exist_ok=True)
    archive = sources / f"kubernetes_{SOURCE}.orig.tar.gz"
    _checked(["tar", "-xf", str(archive), "-C", str(tree), "--strip-components=1"])
    (patch,) = sources.glob(f"{PATCH}_*.deb")
    other = work / "patch"
    _checked(["dpkg-deb", "-x", str(patch), str(other)])
    code = other / "usr/share/gocode/src/github.com/modern-go/reflect2"
    for pattern in ("*.go", "*.s"):
        for old in (tree / PATCHED).glob(pattern):
            old.unlink()
        for new in code.glob(pattern):
            shutil.copy2(new, tree / PATCHED / new.name)
    major, minor, _ = VERSION.split(".")
    (work / "version").write_text(
        f"KUBE_GIT_COMMIT='debian-{SOURCE}'\nKUBE_GIT_TREE_STATE='archive'\n"
        f"KUBE_GIT_VERSION='v{VERSION}'\nKUBE_GIT_MAJOR='{major}'\nKUBE_GIT_MINOR='{minor}'\n",
        encoding="utf-8",
    )


def _environment(work: Path) -> dict[str, str]:
    """For Kubernetes' makefiles: nothing is fetched, nothing is written outside *work*."""
    return {
        "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8",
        "GOPATH": str(work), "HOME": str(work / "home"), "GO111MODULE": "off", "GOPROXY": "off",
        "CGO_ENABLED": "0", "GOFLAGS": f"-tags={TAGS}",
        "GOGC": "400",  # the compiler collects garbage less often: a fifth less processor time
        "KUBE_GIT_VERSION_FILE": str(work / "version"),
    }  # fmt: skip


def _make(
    arguments: Sequence[str], tree: Path, environment: Mapping[str, str], what: str, say: Say
) -> None:
    """Run make at a low priority, telling what it does.

    Raises:
        PlatformFault: it failed; says where the log is.
    """
    log = tree.parents[2] / "make.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["nice", "-n", "10", "make", *arguments], cwd=tree, env=dict(environment),
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
        began = time.monotonic()
        try:
            while True:
                say(f"{what}: {time.monotonic() - began:.0f} s")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(timeout=15)
                    break
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code:
        said = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise PlatformFault(f"make exited with {code}: {' '.join(said)[:200]}; the log is {log}")


def _checked(
    command: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        errors = [line for line in said if line.startswith("E:")] or said[-1:] or ["without a word"]
        raise PlatformFault(f"{command[0]} exited with {done.returncode}: {errors[0][:300]}")
    return done.stdout


@contextlib.contextmanager
def _alone(cache: Path, name: str) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f".{name}.lock"
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict("another process builds Kubernetes") from error
        yield
        path.unlink(missing_ok=True)
