"""The control plane: etcd, API server, controllers and scheduler in a namespace of their own.

etcd speaks plainly on that namespace's loopback, where nothing else of the lab can reach it.
Flags are those of Kubernetes 1.20; see the reference pages of each command.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from provisioner.errors import PlatformFault
from provisioner.lab.kubernetes import network, plan
from provisioner.lab.kubernetes.pki import HARNESS, Authority
from provisioner.lab.space import Space
from provisioner.lab.state import State

ETCD, ETCD_PEER = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
ISSUER = f"https://kubernetes.default.svc.{plan.DOMAIN}"


class ControlPlane:
    """Its processes.

    Args:
        binaries: folder of the programs.
        folder: for etcd's data, which is large.
    """

    def __init__(
        self, space: Space, state: State, authority: Authority, binaries: Path, folder: Path
    ) -> None:
        self._namespace = plan.control_namespace(space)
        self._state = state
        self._pki = authority.folder
        self._binaries = binaries
        self._folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for user in ("controllers", "scheduler"):
            server = f"https://{plan.CONTROL}:{plan.API_PORT}"
            authority.kubeconfig(self._pki / f"{user}.kubeconfig", server, [user], "lab")

    def start_api(self, *, accounts: bool) -> None:
        """Start etcd and the API server; it is usable once /readyz answers.

        Without controllers nobody makes service *accounts*, and no pod may need one.
        """
        self._start(
            "etcd",
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
            f"--listen-peer-urls={ETCD_PEER}", f"--initial-advertise-peer-urls={ETCD_PEER}",
            f"--initial-cluster=default={ETCD_PEER}",
            "--unsafe-no-fsync=true", "--logger=zap", "--log-level=warn",
        )  # fmt: skip
        pki = self._pki
        self._start(
            "kube-apiserver",
            f"--etcd-servers={ETCD}", f"--bind-address={plan.CONTROL}",
            f"--advertise-address={plan.CONTROL}", f"--secure-port={plan.API_PORT}",
            f"--service-cluster-ip-range={plan.SERVICES}",
            f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
            f"--client-ca-file={pki}/ca.crt",
            f"--service-account-issuer={ISSUER}", f"--api-audiences={ISSUER}",
            f"--service-account-key-file={pki}/sa.pub",
            f"--service-account-signing-key-file={pki}/sa.key",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true", "--profiling=false",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            "--kubelet-preferred-address-types=InternalIP,Hostname",
            f"--requestheader-client-ca-file={pki}/ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={pki}/front-proxy.crt",
            f"--proxy-client-key-file={pki}/front-proxy.key",
            f"--audit-policy-file={self._audit()}", "--audit-log-path=-",
            *([] if accounts else ["--disable-admission-plugins=ServiceAccount"]),
        )  # fmt: skip

    def start_controllers(self) -> None:
        """Start them, once the API is ready: before that they would exit."""
        pki = self._pki
        self._start(
            "kube-controller-manager", *self._client("controllers"), "--secure-port=10257",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki}/sa.key", f"--root-ca-file={pki}/ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            # node IPAM would take 10 s to begin; the lab's nodes have their ranges already
            "--allocate-node-cidrs=false", f"--service-cluster-ip-range={plan.SERVICES}",
            "--kube-api-qps=200", "--kube-api-burst=400",
            "--node-monitor-grace-period=20s", "--pod-eviction-timeout=30s",
        )  # fmt: skip

    def start_scheduler(self) -> None:
        """Start it, once the API is ready."""
        self._start("kube-scheduler", *self._client("scheduler"), "--secure-port=10259")

    def check(self) -> None:
        """See that everything still runs.

        Raises:
            PlatformFault: one of them has ended.
        """
        for name, process in self.processes.items():
            if (code := process.poll()) is not None:
                raise PlatformFault(f"{name} exited with {code}: {self._last(name)}")

    def close(self) -> None:
        """End everything at once: nothing of it is kept, and politely it takes half a minute."""
        for process in reversed(self.processes.values()):
            process.kill()
        for process in self.processes.values():
            process.wait()

    def _audit(self) -> Path:
        """The harness's requests are noted, so that each of its answers has an id."""
        rules = [{"level": "Metadata", "users": [HARNESS]}, {"level": "None"}]
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules,
                  "omitStages": ["RequestReceived"]}  # fmt: skip
        file = self._pki / "audit.json"
        file.write_text(json.dumps(policy), encoding="utf-8")
        return file

    def _client(self, user: str) -> list[str]:
        file = f"{self._pki}/{user}.kubeconfig"
        options = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
        flags = [f"--{option}={file}" for option in options]
        return [*flags, "--bind-address=127.0.0.1", "--port=0", "--leader-elect=false"]

    def _start(self, name: str, *flags: str) -> None:
        argv = network.inside(self._namespace, [str(self._binaries / name), *flags])
        self.processes[name] = self._state.start(name, argv)

    def _last(self, name: str) -> str:
        lines = self._state.log(name).read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "without a word"
