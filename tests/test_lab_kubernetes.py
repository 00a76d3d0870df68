"""The parts of the lab's Kubernetes that need no cluster."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from cryptography import x509

from harness.cli.lab import lab_command
from provisioner.errors import BadRequest, PlatformFault
from provisioner.lab import cgroups, serve
from provisioner.lab.images import COMPLETE
from provisioner.lab.kubernetes import build, existing, node, node_files, pki, plan, providers
from provisioner.lab.kubernetes.balancers import free
from provisioner.lab.kubernetes.defects import DEFECTS, known
from provisioner.lab.kubernetes.names import located, records
from provisioner.lab.kubernetes.relay import Relay
from provisioner.lab.kubernetes.volumes import quantity
from provisioner.lab.space import Space

SPACE = Space(name="unit")


def built(cache: Path, name: str = "abc") -> Path:
    folder = cache / f"{build.PREFIX}{name}"
    folder.mkdir(parents=True)
    (folder / COMPLETE).touch()
    return folder


# -- providers ---------------------------------------------------------------------------------


def executable(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


def test_without_any_provider_one_line_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("INTEROP_KUBE_CONTEXT", "KUBEBUILDER_ASSETS"):
        monkeypatch.delenv(name, raising=False)

    assert providers.choose(environment={"PATH": str(tmp_path)}) is None
    assert "interop lab build kubernetes" in providers.lacking()
    assert "\n" not in providers.lacking()
    assert "kubernetes" not in serve.available()


def test_the_first_provider_wins_and_each_says_what_it_can(tmp_path: Path) -> None:
    tools, assets = tmp_path / "bin", tmp_path / "assets"
    executable(tools, "kind", "docker")
    executable(assets, "etcd", "kube-apiserver")
    cache = tmp_path / "cache"
    built(cache)
    every = {
        "INTEROP_KUBE_CONTEXT": "mine",
        "KUBECONFIG": "/a:/b",
        "PATH": str(tools),
        "KUBEBUILDER_ASSETS": str(assets),
    }

    chain = []
    for gone in ("", "INTEROP_KUBE_CONTEXT", "PATH", "KUBEBUILDER_ASSETS"):
        every = {**every, **({gone: ""} if gone else {})}
        provider = providers.choose(cache, every)
        assert provider is not None
        chain.append(provider)

    assert [provider.name for provider in chain] == ["kubeconfig", "kind", "assets", "built"]
    assert chain[0].context == "mine"
    assert chain[0].place == Path("/a")
    assert chain[2].capabilities == {"api", "api.ssa", "api.crd"}
    assert {"nodes.real", "dns", "services.dataplane"} <= chain[3].capabilities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contexts: [{name: mine, context: {namespace: team}}]", "team"),
        ("contexts: [{name: mine, context: {cluster: c}}]", "default"),
        ("contexts: [{name: other}]", "INTEROP_KUBE_CONTEXT: no context 'mine'.*there are: other"),
        ("contexts: 3", "expected a kubeconfig"),
        ("[", "expected a kubeconfig"),
    ],
)
def test_an_existing_context_brings_its_namespace(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)

    if " " not in expected:
        assert existing.namespace(file, "mine") == expected
        return
    with pytest.raises(BadRequest, match=expected):
        existing.namespace(file, "mine")


def test_assets_with_controllers_can_more(tmp_path: Path) -> None:
    executable(tmp_path, "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

    provider = providers.choose(tmp_path, {"KUBEBUILDER_ASSETS": str(tmp_path), "PATH": ""})

    assert provider is not None
    assert {"controllers", "scheduler"} <= provider.capabilities


def test_a_half_finished_build_is_none(tmp_path: Path) -> None:
    (built(tmp_path) / COMPLETE).unlink()

    assert build.found(tmp_path) is None


# -- building ----------------------------------------------------------------------------------


def test_what_is_missing_to_build_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with pytest.raises(PlatformFault, match=r"apt-get install .*golang-go.*--install") as caught:
        build.build(tmp_path, lambda text: None)

    assert "\n" not in str(caught.value)


def test_a_finished_build_is_not_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "bin", *build.TOOLS, *build.RUNTIME)
    go = "#!/bin/sh\necho go version go1.19.8 linux/amd64\n"
    (tmp_path / "bin/go").write_text(go)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    folder = built(tmp_path, build._key("go1.19.8"))

    assert build.build(tmp_path, lambda text: None) == folder


def test_a_build_kept_from_elsewhere_needs_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "bin", *build.RUNTIME)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    folder = built(tmp_path)

    assert build.missing(build.needed(tmp_path)) == []
    assert build.build(tmp_path, lambda text: None) == folder


def test_the_key_follows_the_compiler() -> None:
    assert build._key("go1.19.8") != build._key("go1.20")


def test_a_step_is_done_once(tmp_path: Path) -> None:
    done = []
    for _ in range(2):
        build._step(tmp_path, "one", lambda: done.append(1))

    assert done == [1]


def test_a_make_that_fails_says_its_last_line_and_where_the_log_is(
    tmp_path: Path,
) -> None:
    tree = tmp_path / "src/k8s.io/kubernetes"
    tree.mkdir(parents=True)
    (tree / "Makefile").write_text("all:\n\t@echo no such luck; exit 3\n")

    with pytest.raises(PlatformFault, match=r"make exited with 2: .*Error 3; .*make.log"):
        build._make(["all"], tree, {"PATH": "/usr/bin:/bin"}, "trying", lambda text: None)


def test_the_command_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    result = CliRunner().invoke(lab_command, ["build", "kubernetes"])

    assert "golang-go" in str(result.exception)


# -- certificates ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> pki.Authority:
    return pki.make(tmp_path_factory.mktemp("pki"), plan.nodes(SPACE))


def test_the_api_servers_certificate_holds_for_the_hosts_loopback(
    authority: pki.Authority,
) -> None:
    read = x509.load_pem_x509_certificate((authority.folder / "apiserver.crt").read_bytes())
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}

    assert {"127.0.0.1", plan.CONTROL, plan.API_SERVICE} <= addresses


def test_nobody_else_reads_a_key(authority: pki.Authority, tmp_path: Path) -> None:
    authority.kubeconfig(tmp_path / "config", "https://127.0.0.1:1", [pki.HARNESS], "c")
    secrets = [*authority.folder.glob("*.key"), tmp_path / "config"]

    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}


def test_the_harness_is_in_no_group_of_masters(authority: pki.Authority) -> None:
    read = x509.load_pem_x509_certificate((authority.folder / f"{pki.HARNESS}.crt").read_bytes())

    assert read.subject.rfc4514_string() == f"CN={pki.HARNESS}"


def test_a_context_must_be_named(authority: pki.Authority, tmp_path: Path) -> None:
    users = [pki.HARNESS, pki.ADMIN]
    file = tmp_path / "config"

    authority.kubeconfig(file, "https://127.0.0.1:1", users, "lab", current=False)

    said = yaml.safe_load(file.read_text())
    assert [item["name"] for item in said["contexts"]] == ["lab", f"lab-{pki.ADMIN}"]
    assert said["current-context"] == ""


def test_client_and_server_agree_through_the_relay(authority: pki.Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = authority.folder
    context.load_cert_chain(folder / "apiserver.crt", folder / "apiserver.key")
    context.load_verify_locations(folder / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    said = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def answer() -> None:
            near, _ = door.accept()
            with context.wrap_socket(near, server_side=True) as line:
                said.append(line.recv(100))
                line.sendall(b"x" * 300_000)

        thread = threading.Thread(target=answer)
        thread.start()
        relay = Relay(lambda: socket.create_connection(door.getsockname()))
        client = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        client.load_cert_chain(folder / f"{pki.HARNESS}.crt", folder / f"{pki.HARNESS}.key")
        got = b""
        with (
            socket.create_connection(("127.0.0.1", relay.port)) as raw,
            client.wrap_socket(raw, server_hostname="127.0.0.1") as line,
        ):
            line.sendall(b"hello")
            while data := line.recv(65536):
                got += data
        thread.join()
        relay.close()

    assert said == [b"hello"]
    assert len(got) == 300_000


def test_a_relay_to_nowhere_hangs_up() -> None:
    def refuse() -> socket.socket:
        raise ConnectionRefusedError

    relay = Relay(refuse)
    with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as line:
        assert line.recv(1) == b""
    relay.close()


# -- names -------------------------------------------------------------------------------------


def service(name: str, address: str, **spec: Any) -> dict[str, Any]:
    spec = {"clusterIP": address, **spec}
    return {"metadata": {"namespace": "n", "name": name}, "spec": spec}


def endpoints(name: str, *addresses: dict[str, str]) -> dict[str, Any]:
    subsets = [{"addresses": list(addresses)}]
    return {"metadata": {"namespace": "n", "name": name}, "subsets": subsets}


def test_a_service_has_its_own_address_and_a_headless_one_its_pods() -> None:
    services = [service("web", "10.96.0.7"), service("db", "None"), service("idle", "None")]
    there = [
        endpoints("db", {"ip": "10.244.0.2", "hostname": "db-0"}, {"ip": "10.244.1.2"}),
        endpoints("web", {"ip": "10.244.0.9"}),
    ]

    assert records(services, there) == (
        "10.244.0.2 db-0.db.n.svc.cluster.local db.n.svc.cluster.local\n"
        "10.244.1.2 db.n.svc.cluster.local 10-244-1-2.db.n.svc.cluster.local\n"
        "10.96.0.7 web.n.svc.cluster.local\n"
    )


def test_named_ports_are_the_services_or_those_of_its_pods() -> None:
    named = {"name": "web", "port": 80, "protocol": "TCP"}
    services = [
        service("web", "10.96.0.7", ports=[named, {"port": 81, "protocol": "TCP"}]),
        service("db", "None", ports=[named]),
        service("out", "", type="ExternalName", ports=[named]),
    ]
    there = endpoints("db", {"ip": "10.244.0.2", "hostname": "db-0"}, {"ip": "10.244.1.2"})
    there["subsets"][0]["ports"] = [{"name": "web", "port": 8080}, {"name": "x", "port": 1}]

    domain = "n.svc.cluster.local"
    assert located(services, [there]) == [
        f"--srv-host=_web._tcp.db.{domain},10-244-1-2.db.{domain},8080",
        f"--srv-host=_web._tcp.db.{domain},db-0.db.{domain},8080",
        f"--srv-host=_web._tcp.web.{domain},web.{domain},80",
    ]


def test_an_external_name_is_not_served() -> None:
    assert records([service("out", "", type="ExternalName", externalName="example.org")], []) == ""


def test_balancers_get_addresses_one_by_one() -> None:
    assert free([]) == "10.97.0.1"
    assert free(["10.97.0.1", "10.97.0.3"]) == "10.97.0.2"
    with pytest.raises(ValueError, match="no address of"):
        free(f"10.97.0.{number}" for number in range(256))


# -- small things ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"), [("1Gi", 1 << 30), ("1500M", 1_500_000_000), ("64", 64), ("0.5Ki", 512)]
)
def test_quantities(text: str, size: int) -> None:
    assert quantity(text) == size


@pytest.mark.parametrize("text", ["", "1Qi", "-1Gi", "1e3", "Gi"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity(text)


def test_nodes_share_nothing() -> None:
    nodes = plan.nodes(SPACE, 3)

    for field in ("name", "address", "pods", "namespace"):
        assert len({getattr(one, field) for one in nodes}) == 3
    assert all(one.namespace.startswith(f"{SPACE.namespace}--") for one in nodes)


def test_what_a_node_is_told_comes_back(tmp_path: Path) -> None:
    told = node.Node(
        name="n", address="10.98.0.10", folder="/f", root="/r", shared=("/a", "/b"), binaries="/b",
        image="/i", kubeconfig="/k", proxy_kubeconfig="", pods="10.244.0.0/16",
    )  # fmt: skip
    told.write(tmp_path / "node.json")

    assert node.read(tmp_path / "node.json") == told


def test_the_kubelet_is_kept_from_the_hosts_kernel_settings() -> None:
    present = [name for name in node_files.TUNABLES if (Path("/proc/sys") / name).exists()]

    assert present == list(node_files.TUNABLES)


def test_control_groups_are_found_by_lab_and_go(tmp_path: Path) -> None:
    for tree in ("cpu", "cpuset"):
        (tmp_path / tree).mkdir()
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset/cpuset.mems").write_text("0\n")
    for lab in ("unit", "unit2"):
        cgroups.make(f"interop-{lab}--k8s-0", tmp_path)
    (tmp_path / "cpu/interop-unit--k8s-0/kubepods/pod1").mkdir(parents=True)

    before = cgroups.of(SPACE, tmp_path)
    cgroups.remove(SPACE, tmp_path)

    assert [path.parent.name for path in before] == ["cpu", "cpuset"]
    assert cgroups.of(SPACE, tmp_path) == []
    assert len(cgroups.of(Space(name="unit2"), tmp_path)) == 2


def test_an_unknown_defect_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadRequest, match="dns-answers-nothing"):
        known(["nonsense"])
    assert known(DEFECTS) == frozenset(DEFECTS)
