"""One process of OpenStack: ``python -P -m provisioner.lab.openstack.runner SERVICE NAME=FD,FD …``.

It runs with the services' own interpreter in the lab's network namespace. ``SERVICE`` is keystone,
glance, neutron, nova (with placement and the metadata API) or cinder; a process cannot hold two,
for each uses oslo.config's one global object; placement alone has one of its own. The sockets are
made by the lab's daemon, already listen, and are inherited: one listens on the host's loopback,
its twin at the same port inside the namespace, and one catalogue serves both sides.

All of nova is in one process, as is all of cinder, because their parts talk over ``fake://``,
whose exchanges are objects of the process. Nothing forks, and eventlet patches nothing.
"""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from provisioner.lab.openstack.altering import mutated
from provisioner.lab.openstack.place import Place, here

Listening = Mapping[str, list[socket.socket]]
THREADS = 12  # that answer requests, of each service
SEEDED_S = 300.0  # the first start makes users and endpoints before nova can begin
LOG = logging.getLogger("interop.runner")


def environment(place: Place) -> dict[str, str]:
    """What the services' own start-up code reads to find its files."""
    etc = place.folder / "etc"
    return {
        "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1",
        "OS_KEYSTONE_CONFIG_DIR": str(etc / "keystone"),
        "OS_PLACEMENT_CONFIG_DIR": str(etc / "placement"),
        "OS_GLANCE_CONFIG_DIR": str(etc / "glance"),
        "OS_NEUTRON_CONFIG_DIR": str(etc / "neutron"),
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
    }


def serve(application: Any, name: str, listening: Listening) -> None:
    """Answer requests for *application* in a thread of its own, from now on."""
    from waitress.server import create_server

    application = mutated(application, name, here().defects)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = create_server(
        application, sockets=listening[name], threads=THREADS, ident=None,
        max_request_body_size=1 << 40, channel_timeout=600,
    )  # fmt: skip
    threading.Thread(target=server.run, name=f"http-{name}", daemon=True).start()
    LOG.info("%s answers", name)


def keystone(place: Place, listening: Listening) -> None:
    """Identity."""
    from oslo_context import context

    application = importlib.import_module("keystone.wsgi.api").application

    def fresh(environ: Any, start: Any) -> Any:
        # keystone keeps what it learnt of tokens in the context, which it takes for the request's,
        # and a thread that serves many would believe in a token long after it was revoked
        context._request_store.context = None
        return application(environ, start)

    serve(fresh, "keystone", listening)


def glance(place: Place, listening: Listening) -> None:
    """Images."""
    serve(importlib.import_module("glance.wsgi.api").application, "glance", listening)


def neutron(place: Place, listening: Listening) -> None:
    """Networks; our plugins are told in its configuration."""
    application = importlib.import_module("neutron.wsgi.api").application
    # else the first requests, side by side, find half of the rules and hide what is not theirs
    importlib.import_module("neutron.policy").init()
    serve(application, "neutron", listening)


def nova(place: Place, listening: Listening) -> None:
    """Placement, then nova: conductor, scheduler, compute, API and metadata."""
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)  # before anything of nova is imported
    import nova.conf
    import os_brick
    import os_vif
    from nova import config, context, objects, service
    from nova.api.openstack import wsgi_app
    from nova.compute import rpcapi as compute
    from nova.conductor import rpcapi as conductor
    from nova.objects import host_mapping
    from nova.scheduler import rpcapi as scheduler
    from oslo_log import log
    from oslo_service import opts
    from paste import deploy

    serve(importlib.import_module("placement.wsgi.api").application, "placement", listening)
    conf = nova.conf.CONF
    config.parse_args(["nova", "--config-file", str(place.folder / "etc/nova/nova.conf")])
    log.setup(conf, "nova")
    opts.register_service_opts(conf)
    _as_root("nova.privsep:sys_admin_pctxt", "os_brick.privileged:default")
    os_brick.setup(conf)
    os_vif.initialize()
    objects.register_all()
    _put_driver()
    _await_seeds(place)  # the conductor logs in to placement as soon as it is made
    for binary, topic, other in (
        ("nova-conductor", conductor.RPC_TOPIC, None),
        ("nova-scheduler", scheduler.RPC_TOPIC, None),
        ("nova-compute", compute.RPC_TOPIC, compute.RPC_TOPIC_ALT),
    ):
        service.Service.create(binary=binary, topic=topic, topic_alt=other).start()
        LOG.info("%s started", binary)
    # else the first server finds no host until the scheduler looks for one by itself
    host_mapping.discover_hosts(context.get_admin_context())
    for name, api in (("osapi_compute", "nova"), ("metadata", "metadata")):
        wsgi_app._setup_service(conf.host, name)
        paste = f"config:{conf.wsgi.api_paste_config}"
        serve(deploy.loadapp(paste, name=name), api, listening)


def cinder(place: Place, listening: Listening) -> None:
    """Volumes: API, scheduler and the one back end."""
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    sys.argv = ["cinder", "--config-file", str(place.folder / "etc/cinder/cinder.conf")]
    import os_brick
    from eventlet import tpool  # some copies go through its threads, which wait for ever here

    tpool.Proxy = lambda thing, *_, **__: thing
    tpool.execute = lambda work, *given, **named: work(*given, **named)
    from cinder import service
    from cinder.wsgi import wsgi
    from oslo_config import cfg

    application = wsgi.initialize_application()
    conf = cfg.CONF
    _as_root("cinder.privsep:sys_admin_pctxt", "os_brick.privileged:default")
    os_brick.setup(conf)
    conf.register_opt(cfg.StrOpt("backend_host"), group="lab")
    _await_seeds(place)
    parts: tuple[dict[str, Any], ...] = (
        {"binary": "cinder-scheduler"},
        {
            "binary": "cinder-volume",
            "host": f"{conf.host}@lab",
            "service_name": "lab",
            "coordination": True,
        },
    )
    for part in parts:
        service.Service.create(**part).start()
        LOG.info("%s started", part["binary"])
    serve(application, "cinder", listening)


def _as_root(*contexts: str) -> None:
    """Do what needs a right here: the lab is root's, and there may be no sudo to start a helper."""
    for where in contexts:
        module, _, name = where.partition(":")
        getattr(importlib.import_module(module), name).set_client_mode(False)


def _put_driver() -> None:
    """Let nova find our driver: it looks for ``compute_driver`` below ``nova.virt`` only."""
    ours = importlib.import_module("provisioner.lab.openstack.virt")
    sys.modules["nova.virt.interop"] = ours


def _await_seeds(place: Place) -> None:
    """Wait for the users and endpoints that the daemon makes at a first start.

    Raises:
        SystemExit: it never did.
    """
    deadline = time.monotonic() + SEEDED_S
    while not (place.folder / "seeded").exists():
        if time.monotonic() > deadline:
            sys.exit(f"no users and endpoints after {SEEDED_S:.0f} s")
        time.sleep(0.05)


RUNNERS: Mapping[str, Callable[[Place, Listening], None]] = {
    "keystone": keystone,
    "glance": glance,
    "neutron": neutron,
    "nova": nova,
    "cinder": cinder,
}


def main() -> None:
    """Run one service until the process is ended."""
    _, name, *sockets = sys.argv
    listening = {}
    for item in sockets:
        service, _, numbers = item.partition("=")
        listening[service] = [socket.socket(fileno=int(number)) for number in numbers.split(",")]
    place = here()
    os.environ.update(environment(place))
    sys.argv = [name]
    from provisioner.lab.openstack import sqlite

    sqlite.install()
    RUNNERS[name](place, listening)
    threading.Event().wait()


if __name__ == "__main__":
    main()
