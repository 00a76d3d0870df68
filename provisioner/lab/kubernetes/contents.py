"""What the lab puts into its cluster first: rights, a kind of its own, a storage class, the DNS.

The harness is an ordinary user: it may do everything in its own namespace, and of the cluster it
may read what `describe` reports. It is no cluster-admin.
"""

from __future__ import annotations

from typing import Any

from provisioner.lab.kubernetes import plan
from provisioner.lab.kubernetes.api import Api
from provisioner.lab.kubernetes.pki import HARNESS

PROVISIONER = "lab.interop/disk"
GROUP = "interop.lab"  # of the custom kind
ALL = ["*"]
NAMESPACED = [
    "", "apps", "autoscaling", "batch", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
    "extensions", "networking.k8s.io", "policy",
]  # fmt: skip
READ = ["get", "list", "watch"]


def put(api: Api, *, nodes: bool) -> None:
    """Apply everything; it may be there already. Without nodes only what the API does itself."""
    served = (_storage(), *_dns()) if nodes else ()
    for path, body in (_namespace(), *_rights(), _custom_kind(), *served):
        metadata = {**body.pop("metadata"), "labels": plan.LABEL}
        api.apply(path, {**body, "metadata": metadata})


def _namespace() -> tuple[str, dict[str, Any]]:
    """Where the harness makes what it makes."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": plan.NAMESPACE}}
    return f"/api/v1/namespaces/{plan.NAMESPACE}", body


def _rights() -> list[tuple[str, dict[str, Any]]]:
    top = "/apis/rbac.authorization.k8s.io/v1"
    kinds = ["nodes", "persistentvolumes", "storageclasses", "customresourcedefinitions",
             "apiservices", "priorityclasses", "csidrivers", "csinodes", "namespaces"]  # fmt: skip
    inside = [
        {"apiGroups": NAMESPACED, "resources": _namespaced(), "verbs": ALL},
        {"apiGroups": [GROUP], "resources": ALL, "verbs": ALL},
    ]
    outside = [
        {"apiGroups": ALL, "resources": kinds, "verbs": READ},
        {"nonResourceURLs": ALL, "verbs": ["get"]},
    ]
    space = {"namespace": plan.NAMESPACE}
    group, api = "rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1"
    subject = {"apiGroup": group, "kind": "User", "name": HARNESS}
    found: list[tuple[str, dict[str, Any]]] = []
    for prefix, rules, about in (("Cluster", outside, {}), ("", inside, space)):
        folder = f"{top}/namespaces/{plan.NAMESPACE}" if about else top
        kind, metadata = f"{prefix}Role", {"name": HARNESS, **about}
        role = {"apiVersion": api, "kind": kind, "metadata": metadata, "rules": rules}
        binding = {
            "apiVersion": api,
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": kind, "name": HARNESS},
            "subjects": [subject],
        }
        found.append((f"{folder}/{kind.lower()}s/{HARNESS}", role))
        found.append((f"{folder}/{kind.lower()}bindings/{HARNESS}", binding))
    return found


def _namespaced() -> list[str]:
    """Every namespaced resource of the groups above, with its parts; never nodes or volumes."""
    whole = str.split(
        "bindings configmaps endpoints events limitranges persistentvolumeclaims pods podtemplates"
        " replicationcontrollers resourcequotas secrets serviceaccounts services"
        " controllerrevisions daemonsets deployments replicasets statefulsets cronjobs jobs"
        " horizontalpodautoscalers leases endpointslices ingresses networkpolicies"
        " poddisruptionbudgets"
    )
    parts = str.split(
        "pods/attach pods/binding pods/eviction pods/exec pods/ephemeralcontainers pods/log"
        " pods/portforward pods/proxy pods/status services/proxy services/status"
        " serviceaccounts/token deployments/scale deployments/status replicasets/scale"
        " replicasets/status replicationcontrollers/scale statefulsets/scale statefulsets/status"
        " daemonsets/status jobs/status cronjobs/status persistentvolumeclaims/status"
        " resourcequotas/status poddisruptionbudgets/status ingresses/status"
        " horizontalpodautoscalers/status"
    )
    return [*whole, *parts]


def _custom_kind() -> tuple[str, dict[str, Any]]:
    """A kind that Kubernetes does not have, as operators bring theirs."""
    text = {"type": "object", "properties": {"text": {"type": "string", "maxLength": 99}}}
    schema = {"type": "object", "properties": {"spec": text}}
    version = {"served": True, "schema": {"openAPIV3Schema": schema}}
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"samples.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "samples", "singular": "sample", "kind": "Sample"},
            "versions": [
                {"name": "v1", "storage": True, **version},
                {"name": "v1beta1", "storage": False, **version},
            ],
        },
    }
    return f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/samples.{GROUP}", body


def _storage() -> tuple[str, dict[str, Any]]:
    body = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": plan.STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": False,
    }
    return f"/apis/storage.k8s.io/v1/storageclasses/{plan.STORAGE_CLASS}", body


def _dns() -> list[tuple[str, dict[str, Any]]]:
    """A service without selector: its one endpoint is the lab's dnsmasq beside the API server."""
    top = "/api/v1/namespaces/kube-system"
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": plan.DNS_SERVICE, "ports": ports},
    }
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "subsets": [{"addresses": [{"ip": plan.CONTROL}], "ports": ports}],
    }
    return [(f"{top}/services/kube-dns", service), (f"{top}/endpoints/kube-dns", endpoints)]
