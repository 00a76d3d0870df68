"""The configuration files of one node: containerd, CNI, kubelet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from provisioner.lab.kubernetes import plan

SOCKET = "/run/containerd/containerd.sock"
# The kubelet sets these for the whole kernel, which is the host's as well: it is shown them as it
# wants them instead. Source: pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables.
TUNABLES = {
    "vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10,
    "kernel/panic_on_oops": 1, "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}  # fmt: skip

CONTAINERD = """\
version = 2
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{conf}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""


def write(node: plan.NodePlan, folder: Path, pki: Path, cni: Path) -> None:
    """Write containerd.toml, cni/10-lab.conflist, kubelet.json and resolv.conf into *folder*."""
    conf = folder / "cni"
    conf.mkdir(exist_ok=True)
    text = CONTAINERD.format(socket=SOCKET, pause=plan.PAUSE, cni=cni, conf=conf)
    (folder / "containerd.toml").write_text(text, encoding="utf-8")
    (conf / "10-lab.conflist").write_text(json.dumps(_network(node)), encoding="utf-8")
    (folder / "kubelet.json").write_text(json.dumps(_kubelet(node, folder, pki)), encoding="utf-8")
    (folder / "resolv.conf").write_text("", encoding="utf-8")  # there is no outside


def _network(node: plan.NodePlan) -> dict[str, Any]:
    bridge = {
        "type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local", "ranges": [[{"subnet": node.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }  # fmt: skip
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge, ports]}


def _kubelet(node: plan.NodePlan, folder: Path, pki: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "healthzBindAddress": "127.0.0.1",
        "tlsCertFile": str(pki / f"{node.name}-serving.crt"),
        "tlsPrivateKeyFile": str(pki / f"{node.name}-serving.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.namespace}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "failSwapOn": False,
        "maxOpenFiles": 20000,
        "resolvConf": str(folder / "resolv.conf"),
        "clusterDomain": plan.DOMAIN,
        "clusterDNS": [plan.DNS_SERVICE],
        # the host's memory and disk are everybody's: the node must not evict for them early
        "evictionHard": {
            "memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "4s",
        "syncFrequency": "10s",
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
    }  # fmt: skip
