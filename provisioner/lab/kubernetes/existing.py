"""A cluster that is there already: a context of somebody's kubeconfig, which is only connected to.

The namespace is the context's own, as kubectl has it; it must exist. Nothing is written to the
file, and nothing of the cluster is touched but what the harness makes in that namespace.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from provisioner.errors import BadRequest
from provisioner.lab.kubernetes.providers import Provider
from provisioner.lab.state import State
from provisioner.platform import PlatformConfig, open_driver

NAME = "lab-kubernetes"


def serve(provider: Provider, state: State, entry: Callable[..., dict[str, Any]]) -> None:
    """Tell of the cluster, once it answered, until SIGTERM.

    Raises:
        BadRequest: the file is no kubeconfig or has no such context.
        PlatformError: the cluster does not answer, or not us.
    """
    told = entry(provider, provider.place, provider.context)
    told["namespace"] = namespace(provider.place, provider.context)
    told["images"] = {"debian-12": provider.image} if provider.image else {}
    state.progress("kubernetes", f"asking the cluster of context {provider.context}")
    settings = {key: told[key] for key in ("kubeconfig", "context", "namespace", "images")}
    with tempfile.TemporaryDirectory() as folder:
        config = PlatformConfig(
            name=NAME, kind="kubernetes", settings=settings, declared=told["declared"],
            state=Path(folder),
        )  # fmt: skip
        with closing(open_driver(config)) as driver:
            driver.describe()
    state.ready("kubernetes", told)
    threading.Event().wait()


def namespace(file: Path, context: str) -> str:
    """The namespace of a context; ``default`` where it names none.

    Raises:
        BadRequest: the file is no kubeconfig or has no such context.
    """
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
        contexts = {str(one["name"]): one.get("context") or {} for one in read["contexts"]}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise BadRequest(
            f"{file}: expected a kubeconfig; KUBECONFIG names another", NAME
        ) from error
    if context not in contexts:
        known = ", ".join(sorted(contexts)) or "none"
        message = f"INTEROP_KUBE_CONTEXT: no context {context!r} in {file}; there are: {known}"
        raise BadRequest(message, NAME)
    return str(contexts[context].get("namespace") or "default")
