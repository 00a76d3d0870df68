"""A cluster of our own, from binaries: control plane, nodes, and what serves them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from provisioner.lab.kubernetes import contents, network, nodes, pki, plan
from provisioner.lab.kubernetes.altering import Altering
from provisioner.lab.kubernetes.api import Api, Refused, smoke, until
from provisioner.lab.kubernetes.balancers import Balancers
from provisioner.lab.kubernetes.control import ControlPlane
from provisioner.lab.kubernetes.mutations import wanted
from provisioner.lab.kubernetes.names import Names
from provisioner.lab.kubernetes.policies import Policies
from provisioner.lab.kubernetes.relay import Relay, to_api
from provisioner.lab.kubernetes.virtual import VirtualNodes
from provisioner.lab.kubernetes.volumes import Volumes
from provisioner.lab.space import Space
from provisioner.lab.state import State
from provisioner.reach import BrokerDialer

LOG = logging.getLogger(__name__)
READY_S = 240.0  # other platforms of the lab may be starting, too
VIRTUAL_NODES = 3
CHECK_S = 2.0


class Cluster:
    """All of it, as far as its binaries can do it.

    Args:
        folder: small files that only live with the lab, secrets among them.
        bulk: what is large.
        binaries: what ``build.collect`` made, or a folder with at least etcd and kube-apiserver.
        archive: the container image; only nodes need one.
        capabilities: what to have, of those in ``providers``.
        defects: of ``defects.DEFECTS``.
        say: told what is being done.
    """

    def __init__(
        self,
        space: Space,
        state: State,
        *,
        folder: Path,
        bulk: Path,
        binaries: Path,
        archive: Path | None,
        capabilities: frozenset[str],
        defects: frozenset[str],
        say: Callable[[str], None],
    ) -> None:
        self._space, self._state, self._say = space, state, say
        self._folder, self._bulk = folder, bulk
        self._binaries, self._archive = binaries, archive
        self._can, self._defects = capabilities, defects
        self._plans = plan.nodes(space) if "nodes.real" in capabilities else []
        self._plane: ControlPlane | None = None
        self._nodes: nodes.Nodes | None = None
        self._closing: list[Callable[[], None]] = []
        self.kubeconfig = folder / "kubeconfig"

    def start(self) -> None:
        """Bring everything up; on an error the caller closes.

        Raises:
            PlatformFault: something ended or could not be made.
            Timeout: something was not ready in time.
        """
        began = time.monotonic()
        network.lay(self._space, self._plans)
        authority = pki.make(self._bulk / "pki", self._plans)
        flat = self._binaries / "etcd"
        programs = self._binaries if flat.exists() else self._binaries / "bin"
        plane = ControlPlane(self._space, self._state, authority, programs, self._bulk)
        self._plane = plane
        self._closing.append(plane.close)
        self._say("starting etcd and the API server")
        controllers = "controllers" in self._can
        plane.start_api(accounts=controllers)
        relay = Relay(
            to_api(BrokerDialer(str(self._space.broker_socket)), plan.CONTROL, plan.API_PORT)
        )
        self._closing.append(relay.close)
        server = told = f"https://127.0.0.1:{relay.port}"
        if faults := wanted(self._defects):
            altering = Altering(server, authority.folder, pki.HARNESS, faults)
            self._closing.append(altering.close)
            told = altering.address
        users = [pki.HARNESS, pki.ADMIN]
        authority.kubeconfig(
            self.kubeconfig, told, users, plan.CONTEXT, namespace=plan.NAMESPACE, current=False
        )
        api = Api(server, authority.folder, pki.ADMIN)
        volumes = Volumes(
            self._bulk, api,
            never_bind="volumes-never-bind" in self._defects,
            smaller="volume-smaller" in self._defects,
        )  # fmt: skip
        if self._plans:
            self._start_nodes(authority, volumes.share())
        self._say("waiting for the API server")
        until(lambda: api.text("/readyz") == "ok", "the API server", READY_S, plane.check)
        LOG.info("API ready after %.1f s", time.monotonic() - began)
        if self._nodes is not None:
            self._nodes.go()
        controllers = controllers and "controllers-dead" not in self._defects
        if controllers:
            plane.start_controllers()
        if "scheduler" in self._can and "scheduler-dead" not in self._defects:
            plane.start_scheduler()
        smoke(api)
        contents.put(api, nodes=bool(self._plans))
        if self._plans:
            self._serve_nodes(api, volumes)
        if controllers:
            path = "/api/v1/namespaces/default/serviceaccounts/default"
            until(lambda: bool(api.text(path)), "service accounts", READY_S, plane.check)
        LOG.info("cluster ready after %.1f s", time.monotonic() - began)

    def run(self) -> None:
        """Watch over it until SIGTERM.

        Raises:
            PlatformFault: a part of the control plane has ended.
        """
        told: set[str] = set()
        while True:
            threading.Event().wait(CHECK_S)
            if self._plane is not None:
                self._plane.check()
            ended: Sequence[str] = self._nodes.ended() if self._nodes is not None else []
            for name in set(ended) - told:
                LOG.warning("%s has ended", name)
                told.add(name)

    def close(self) -> None:
        """End everything that was started."""
        for close in reversed(self._closing):
            close()

    def _start_nodes(self, authority: pki.Authority, shared: Path) -> None:
        if "nodes-apart" in self._defects:
            nodes.part(self._plans)
        assert self._archive is not None  # noqa: S101 - nodes come with an image
        self._nodes = nodes.Nodes(
            self._state,
            authority,
            folder=self._bulk,
            binaries=self._binaries,
            archive=self._archive,
            shared=shared,
            routed="services-not-routed" not in self._defects,
        )
        self._closing.append(self._nodes.close)
        for one in self._plans:
            self._nodes.start(one)

    def _serve_nodes(self, api: Api, volumes: Volumes) -> None:
        if "dns-answers-nothing" not in self._defects:
            names = Names(self._space, self._state, self._bulk, api)
            self._closing.append(names.close)
            names.follow()
        if "policies-not-enforced" not in self._defects:
            Policies(api, self._plans).follow()
        if "balancers-dead" not in self._defects:
            Balancers(api).follow()
        volumes.follow()
        VirtualNodes(api, [f"virtual-{number}" for number in range(VIRTUAL_NODES)]).follow()
        self._say("waiting for the nodes")
        for one in self._plans:
            until(lambda: _ready(api, one.name), f"node {one.name}", READY_S, self._well)  # noqa: B023

    def _well(self) -> None:
        if self._plane is not None:
            self._plane.check()


def _ready(api: Api, name: str) -> bool:
    try:
        there = api.call("GET", f"/api/v1/nodes/{name}")
    except Refused:
        return False
    conditions = there["status"].get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
