"""Faults of the API: the true server answers, and one kind of answer is altered on its way.

Each stands for a way in which a cluster may differ from the API reference, and is about what one
check of ``suites/kubernetes`` makes: the things of a check begin with its id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NO_ITEMS = (r'(?s)"items":\[\{.*\}\]', '"items":[]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """Which answers are altered, and how.

    Args:
        call: in method and path (with query), as a regular expression.
        was: statuses of the true answer that are altered.
        status: the status that is told instead; 0 keeps it.
        body: the body that is told instead; None keeps it.
        swap: a pattern in the body, and what is put in its place.
        asked: a text that must be in the request's body.
        checks: what must fail because of it.
    """

    call: str
    was: tuple[int, ...] = (200,)
    status: int = 0
    body: str | None = None
    swap: tuple[str, str] = ("", "")
    asked: str = ""
    checks: tuple[str, ...]


def _said(check: str, *swap: str, pod: str = "") -> Mutation:
    """Another word in what is told of a check's pod."""
    call = rf"GET .*/pods/{check}-[0-9a-f]+{pod}"
    return Mutation(call=call, swap=(swap[0], swap[1]), checks=(check,))


def _taken(check: str, call: str, *was: int, asked: bool = False) -> Mutation:
    """What is refused is taken."""
    where = call if asked else f"{call}.*{check}"
    return Mutation(
        call=where, was=was, status=201 if call.startswith("POST") else 200, body="{}",
        asked=check if asked else "", checks=(check,),
    )  # fmt: skip


MUTATIONS: Mapping[str, Mutation] = {
    "api-group-missing": Mutation(call=r"GET /apis/apps/v1$", status=404, checks=("k8s-api-01",)),
    "api-kind-unlisted": Mutation(call=r"GET .*/podtemplates\?", status=405,
                                  checks=("k8s-api-02",)),
    "api-fields-are-everybodys": _taken("k8s-api-03", "PATCH ", 409),
    "api-stale-changes-win": _taken("k8s-api-04", "PUT ", 409),
    "api-all-writers-win": _taken("k8s-api-05", "PUT ", 409),
    "api-patch-tests-nothing": _taken("k8s-api-06", "PATCH ", 422),
    "api-tries-are-kept": _taken("k8s-api-07", "GET ", 404),
    "api-same-name-again": Mutation(
        call="POST .*/configmaps$", was=(201,), asked="k8s-api-08",
        swap=('"name":"(k8s-api-08-[0-9a-f]{6}-)[^"x]+"', r'"name":"\1same"'),
        checks=("k8s-api-08",),
    ),
    "api-anything-is-kept": Mutation(
        call="GET .*k8s-api-09", swap=(r"\A\{", '{"surprise":"kept",'), checks=("k8s-api-09",)
    ),
    "api-custom-kind-unlisted": Mutation(call=r"GET .*/samples\?", status=405,
                                         checks=("k8s-api-10",)),
    "api-first-page-only": Mutation(
        call="GET .*k8s-list-01.*limit=", swap=('"continue":"[^"]+"', '"continue":""'),
        checks=("k8s-list-01",),
    ),
    "api-selectors-find-nothing": Mutation(
        call="GET .*k8s-list-02", swap=NO_ITEMS, checks=("k8s-list-02",)
    ),
    "api-any-field-will-do": Mutation(
        call="GET .*k8s-list-03", was=(400,), status=200, body='{"items":[]}',
        checks=("k8s-list-03",),
    ),
    "api-watch-loses-deletions": Mutation(
        call="GET .*k8s-list-04.*watch", swap=('"type":"DELETED"', '"type":"MODIFIED"'),
        checks=("k8s-list-04",),
    ),
    "api-old-watch-is-silent": Mutation(
        call="GET .*k8s-list-05.*resourceVersion=1&", was=(200, 410), status=200, body="",
        checks=("k8s-list-05",),
    ),
    "api-any-name-will-do": _taken("k8s-limit-01", "POST ", 422, asked=True),
    "api-any-label-will-do": _taken("k8s-limit-02", "POST ", 422, asked=True),
    "api-any-annotation-will-do": _taken("k8s-limit-03", "POST ", 422, asked=True),
    "api-any-size-will-do": _taken("k8s-limit-04", "POST ", 413, 422, asked=True),
    "api-finalizers-hold-nothing": Mutation(
        call="GET .*k8s-gone-01", status=404, body="{}", checks=("k8s-gone-01",)
    ),
    "api-any-uid-is-meant": _taken("k8s-gone-02", "DELETE ", 409),
    "api-too-much-is-deleted": Mutation(
        call="GET .*k8s-gone-03", swap=NO_ITEMS, checks=("k8s-gone-03",)
    ),
    "api-owned-things-stay": Mutation(
        call=r"GET .*k8s-gone-04-[0-9a-f]+-back-\d", was=(404,), status=200,
        body='{"metadata":{"name":"stays"}}', checks=("k8s-gone-04",),
    ),
    "pod-killed-without-reason": _said("k8s-pod-01", '"reason":"OOMKilled"', '"reason":"Error"'),
    "pod-ends-by-itself": _said("k8s-pod-02", '"exitCode":137', '"exitCode":0'),
    "pod-init-in-any-order": _said("k8s-pod-03", "first second main", "second first main"),
    "pod-is-never-told": _said("k8s-pod-04", '"message":"told', '"message":"', pod="-heeding"),
    "pod-failure-forgotten": _said("k8s-pod-05", '"exitCode":3', '"exitCode":0', pod="-never"),
    "pod-log-of-one-output": _said("k8s-pod-06", "second\n", "", pod="/log"),
    "pod-evicted-at-will": _taken("k8s-pod-07", "POST ", 429),
    "load-rollout-changes-nothing": Mutation(
        call="GET .*/pods.*k8s-load-01",
        swap=('"pod-template-hash":"[^"]+"', '"pod-template-hash":"same"'),
        checks=("k8s-load-01",),
    ),
    "load-ordinals-as-they-come": Mutation(
        call="GET .*/pods.*k8s-load-02",
        swap=('("name":"k8s-load-02-[0-9a-f]+)-1"', r'\1-7"'), checks=("k8s-load-02",),
    ),
    "load-job-ends-early": Mutation(
        call="GET .*/jobs/k8s-load-03", swap=('"succeeded":3', '"succeeded":2'),
        checks=("k8s-load-03",),
    ),
    "load-daemons-on-one-node": Mutation(
        call="GET .*/pods.*k8s-load-04",
        swap=('"nodeName":"[^"]+"', '"nodeName":"elsewhere"'), checks=("k8s-load-04",),
    ),
    "load-scale-apart": Mutation(
        call="GET .*/deployments/k8s-load-05-[0-9a-f]+$",
        swap=('"replicas":1', '"replicas":0'), checks=("k8s-load-05",),
    ),
    "load-cron-jobs-are-nobodys": Mutation(
        call="GET .*/jobs.*k8s-load-06",
        swap=(r'"ownerReferences":\[[^\]]*\]', '"ownerReferences":[]'), checks=("k8s-load-06",),
    ),
    "svc-leads-to-one-pod": _said(
        "k8s-svc-01", '"message":"(k8s[^" ]+) [^"]+"', r'"message":"\1"', pod="-client"
    ),
    "svc-node-port-is-silent": _said(
        "k8s-svc-02", '"message":"k8s[^"]+"', '"message":"silence"', pod="-client"
    ),
    "svc-headless-name-of-one": _said(
        "k8s-svc-03", r'"message":"([0-9.]+ \| [0-9.]+) [^"]+"', r'"message":"\1"', pod="-client"
    ),
    "svc-affinity-forgotten": _said(
        "k8s-svc-04", '"message":"(k8s[^"]+)"', r'"message":"\1 other"', pod="-client"
    ),
    "svc-leads-to-unready-pods": Mutation(
        call="GET .*/endpoints/k8s-svc-05",
        swap=('"notReadyAddresses":', '"addresses":'), checks=("k8s-svc-05",),
    ),
    "svc-policy-lets-all-in": _said(
        "k8s-svc-06", '"message":"silence"', '"message":"somebody"', pod="-denied"
    ),
    "svc-asks-for-another": _said(
        "k8s-svc-07", '"message":"[0-9.]+"', '"message":"192.0.2.1"', pod="-client"
    ),
    "svc-balancer-is-silent": _said(
        "k8s-svc-09", '"message":"k8s[^"]+"', '"message":"silence"', pod="-client"
    ),
    "svc-named-port-is-another": _said(
        "k8s-svc-10", '"message":"80 ', '"message":"81 ', pod="-client"
    ),
    "svc-slices-call-all-ready": Mutation(
        call="GET .*/endpointslices.*k8s-svc-08", swap=('"ready":false', '"ready":true'),
        checks=("k8s-svc-08",),
    ),
    "vol-no-default-class": Mutation(
        call="GET .*/storageclasses", swap=('is-default-class":"true"', 'is-default-class":"no"'),
        checks=("k8s-vol-01",),
    ),
    "vol-data-lost": _said("k8s-vol-02", '"message":"[0-9a-f]{16}', '"message":"', pod="-reads"),
    "vol-stays-for-ever": Mutation(
        call="GET .*/persistentvolumes/", was=(404,), status=200,
        body='{"status":{"phase":"Released"}}', checks=("k8s-vol-03",),
    ),
    "vol-any-size-is-told": _taken("k8s-vol-04", "PATCH ", 403, 422),
    "vol-read-only-is-written": _said("k8s-vol-05", "refused", "written", pod="-reads"),
    "conf-bytes-altered": Mutation(
        call="GET .*/configmaps/k8s-conf-01",
        swap=('"binaryData":{"([^"]+)":"..', r'"binaryData":{"\1":"//'), checks=("k8s-conf-01",),
    ),
    "conf-any-secret-will-do": _taken("k8s-conf-02", "POST .*/secrets", 400, asked=True),
    "conf-nothing-is-immutable": _taken("k8s-conf-03", "PATCH ", 422),
    "conf-secrets-for-everybody": _said("k8s-conf-04", r"400\\n", r"644\\n"),
    "conf-parts-change-too": _said("k8s-conf-05", '"message":"new old', '"message":"new new'),
    "conf-pod-is-somebody-else": _said("k8s-conf-06", '"message":"k8s-', '"message":"x-'),
    "conf-token-for-anybody": _said(
        "k8s-conf-07", r'"message":"interop\|', '"message":"anybody|'
    ),
}  # fmt: skip


def wanted(defects: Iterable[str]) -> list[Mutation]:
    """The mutations among defects."""
    return [MUTATIONS[name] for name in sorted(defects) if name in MUTATIONS]


def altered(
    mutations: Iterable[Mutation], call: str, asked: bytes, status: int, body: bytes
) -> tuple[int, bytes]:
    """Status and body as they are told.

    Args:
        mutations: those to look through.
        call: method and path of the request, with its query.
        asked: its body.
        status: of the true answer.
        body: its body.
    """
    for one in mutations:
        if status not in one.was or not re.search(one.call, call):
            continue
        if one.asked.encode() not in asked:
            continue
        told = one.status or status
        if one.body is not None:
            return told, one.body.encode()
        if one.swap[0]:
            body = re.sub(one.swap[0], one.swap[1], body.decode()).encode()
        return told, body
    return status, body
