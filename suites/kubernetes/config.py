"""Configuration: texts and secrets that come back byte for byte, and what pods get to see of them.

Source: Kubernetes documentation, "ConfigMaps", "Secrets", "Downward API", "Projected Volumes".
"""

from __future__ import annotations

import base64
import hashlib
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.api.resources import generated
from suites.claims import claim, same
from suites.kubernetes.pods import SAY, Pods, container, message
from suites.kubernetes.wire import CORE, LABEL, MAPS, MERGE, Object, Wire
from suites.seams import Observe
from suites.waits import Stopwatch

SECRETS = f"{CORE}/secrets"
EXAMPLES = 15
KEYS = st.from_regex(r"[a-z][-._a-zA-Z0-9]{0,30}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)
OCTETS = bytes(range(256)) + "\u00fc\U0001f511".encode()
TOKEN_S = 1200  # asked for; at least 600


def encoded(data: bytes) -> str:
    """As the API has bytes."""
    return base64.b64encode(data).decode()


@pytest.mark.check("k8s-conf-01", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_a_config_map_comes_back(wire: Wire, seed: int, observe: Observe) -> None:
    """Any texts and bytes of a config map read back exactly as they were written."""
    observe("seed", seed, source="observed")
    texts = st.dictionaries(KEYS, TEXTS, max_size=4)
    octets = st.dictionaries(KEYS, st.binary(min_size=1, max_size=200), min_size=1, max_size=3)

    @generated(seed, EXAMPLES)
    @given(data=texts, binary=octets)
    def comes_back(data: dict[str, str], binary: dict[str, bytes]) -> None:
        data = {key: text for key, text in data.items() if key not in binary}
        told = {key: encoded(value) for key, value in binary.items()}
        made = wire.make(MAPS, secrets.token_hex(3), data=data, binaryData=told)
        there = wire.see(MAPS, made["metadata"]["name"]) or {}
        same("its texts", expected=data, actual=there.get("data") or {})
        same("its bytes", expected=told, actual=there.get("binaryData") or {})

    comes_back()
    twice = wire.body("twice", data={"a": "1"}, binaryData={"a": encoded(b"1")})
    wire.refused(422, "the same key as text and bytes", f"POST {MAPS}", body=twice)


@pytest.mark.check("k8s-conf-02", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_a_secret_comes_back(wire: Wire, seed: int, observe: Observe) -> None:
    """Any bytes of a secret read back as written, as text they are only written, never read."""
    observe("seed", seed, source="observed")

    @generated(seed, EXAMPLES)
    @given(value=st.binary(max_size=300), text=TEXTS)
    def comes_back(value: bytes, text: str) -> None:
        told = {"data": {"a": encoded(value)}, "stringData": {"b": text}}
        made = wire.make(SECRETS, secrets.token_hex(3), type="Opaque", **told)
        there = wire.see(SECRETS, made["metadata"]["name"]) or {}
        kept = {"a": encoded(value), "b": encoded(text.encode())}
        same("what is kept", expected=kept, actual=there["data"])
        claim("stringData" not in there, "stringData", expected="never read", actual="there")

    comes_back()
    bad = wire.body("bad", data={"a": "no base64!"})
    wire.refused(400, "a secret that is no base64", f"POST {SECRETS}", body=bad)


@pytest.mark.check("k8s-conf-03", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_what_is_immutable_stays(wire: Wire) -> None:
    """Data of an immutable config map or secret cannot change, nor can its immutability."""
    for top, data in ((MAPS, {"a": "1"}), (SECRETS, {"a": encoded(b"1")})):
        name = wire.make(top, data=data, immutable=True)["metadata"]["name"]
        operation = f"PATCH {top}/{name}"
        for what, change in (("data", {"data": {"b": "MQ=="}}), ("it", {"immutable": False})):
            asked = f"a change of {what} of an immutable {top.rpartition('/')[2]}"
            wire.refused(422, asked, operation, body=change, content_type=MERGE)
        label: Object = {"metadata": {"labels": {"interop-part": "a"}}}
        wire.given(200, "a new label", operation, body=label, content_type=MERGE)
        same("its data", expected=data, actual=(wire.see(top, name) or {}).get("data"))


@pytest.mark.check("k8s-conf-04", needs=("kubernetes.nodes.real",))
@pytest.mark.cost("shared")
def test_pods_see_what_was_written(wire: Wire, pods: Pods) -> None:
    """A pod finds config maps and secrets byte for byte, in files and variables."""
    wire.make(MAPS, binaryData={"bytes": encoded(OCTETS)}, data={"text": "line\nü $HOME"})
    wire.make(SECRETS, data={"bytes": encoded(OCTETS)}, stringData={"word": "open sesame"})
    volumes = [
        {"name": "map", "configMap": {"name": wire.group}},
        {"name": "secret", "secret": {"secretName": wire.group, "defaultMode": 0o400}},
    ]
    mounts = [
        {"name": name, "mountPath": f"/{name}", "readOnly": True} for name in ("map", "secret")
    ]
    env = [
        {"name": "TEXT", "valueFrom": {"configMapKeyRef": {"name": wire.group, "key": "text"}}},
        {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": wire.group, "key": "word"}}},
    ]
    script = (
        "{ sha256sum < /map/bytes; sha256sum < /secret/bytes; stat -L -c %a /secret/bytes;"
        f' printf %s "$TEXT" | sha256sum; printf %s "$WORD" | sha256sum; }} > {SAY}'
    )
    said = pods.said("", script, volumes=volumes, inside={"volumeMounts": mounts, "env": env})
    digests = [
        hashlib.sha256(data).hexdigest()
        for data in (OCTETS, OCTETS, "line\nü $HOME".encode(), b"open sesame")
    ]
    digests.insert(2, "400")
    same(
        "digests and mode", expected=digests, actual=[part.split()[0] for part in said.splitlines()]
    )


@pytest.mark.check("k8s-conf-05", needs=("kubernetes.nodes.real",))
@pytest.mark.cost("shared")
def test_a_change_reaches_the_pod(wire: Wire, pods: Pods, observe: Observe) -> None:
    """A changed config map changes in the pods that mount it, but not where a part is mounted."""
    wire.make(MAPS, data={"text": "old"})
    mounts = [
        {"name": "map", "mountPath": "/map"},
        {"name": "map", "mountPath": "/part", "subPath": "text"},
    ]
    script = (
        "for i in $(seq 600); do grep -q new /map/text && break; sleep 0.25; done;"
        f" echo $(cat /map/text) $(cat /part) > {SAY}"
    )
    volumes = [{"name": "map", "configMap": {"name": wire.group}}]
    name = pods.start("", script, volumes=volumes, inside={"volumeMounts": mounts})
    pods.wait(name, lambda pod: container(pod).get("started"))
    change = {"data": {"text": "new"}}
    watch = Stopwatch()
    wire.given(200, "a change", f"PATCH {MAPS}/{wire.group}", body=change, content_type=MERGE)
    pod = pods.ended(name)
    observe("config-reaches-pod", watch.seconds, unit="s", source="observed")
    same("what the pod sees, and its part", expected="new old", actual=message(pod))


@pytest.mark.check("k8s-conf-06", needs=("kubernetes.nodes.real",))
@pytest.mark.cost("shared")
def test_a_pod_is_told_who_it_is(wire: Wire, pods: Pods) -> None:
    """What a pod is told of itself, in variables and files, is what the API says of it."""
    fields = {
        "NAME": "metadata.name",
        "SPACE": "metadata.namespace",
        "UID_": "metadata.uid",
        "NODE": "spec.nodeName",
        "IP": "status.podIP",
        "HOST": "status.hostIP",
    }
    env: list[Object] = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in fields.items()
    ]
    room = {"containerName": "main", "resource": "limits.memory"}
    env.append({"name": "ROOM", "valueFrom": {"resourceFieldRef": room}})
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    inside: Object = {
        "env": env,
        "volumeMounts": [{"name": "me", "mountPath": "/me"}],
        "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "10m"}},
    }
    script = f"echo $NAME $SPACE $UID_ $NODE $IP $HOST $ROOM $(cat /me/labels) > {SAY}"
    volumes = [{"name": "me", "downwardAPI": {"items": items}}]
    pod = pods.ended(pods.start("", script, volumes=volumes, inside=inside))
    about, spec, told = pod["metadata"], pod["spec"], pod["status"]
    expected = [
        about["name"], about["namespace"], about["uid"], spec["nodeName"],
        told["podIP"], told["hostIP"], str(64 << 20), f'{LABEL}="{wire.group}"',
    ]  # fmt: skip
    same("what the pod was told", expected=expected, actual=message(pod).split())


@pytest.mark.check("k8s-conf-07", needs=("kubernetes.nodes.real", "kubernetes.controllers"))
@pytest.mark.cost("shared")
def test_a_token_is_for_its_audience_and_ends(wire: Wire, pods: Pods, observe: Observe) -> None:
    """A projected token names its audience, its pod's account and pod, and ends as asked."""
    program = (
        "import base64, json\n"
        "part = open('/token/token').read().split('.')[1]\n"
        "told = json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))\n"
        "aud = told['aud'] if isinstance(told['aud'], str) else ' '.join(told['aud'])\n"
        "pod = told['kubernetes.io']['pod']['name']\n"
        f"open({SAY!r}, 'w').write('|'.join([aud, told['sub'], pod,"
        " str(told['exp'] - told['iat'])]))\n"
    )
    token = {"audience": "interop", "expirationSeconds": TOKEN_S, "path": "token"}
    volumes = [{"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}}]
    inside = {
        "command": ["python3", "-c", program],
        "volumeMounts": [{"name": "token", "mountPath": "/token"}],
    }
    pod = pods.ended(pods.start("", "", volumes=volumes, inside=inside))
    audience, account, name, seconds = (message(pod).split("|") + [""] * 4)[:4]
    space = pod["metadata"]["namespace"]
    same("its audience", expected="interop", actual=audience)
    same("its account", expected=f"system:serviceaccount:{space}:default", actual=account)
    same("its pod", expected=pod["metadata"]["name"], actual=name)
    observe("token-lives", int(seconds or 0), unit="s", source="guest")
    claim(600 <= int(seconds or 0) <= TOKEN_S, "seconds it lives", expected="1200", actual=seconds)
