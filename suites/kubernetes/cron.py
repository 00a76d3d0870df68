"""A cron job of every minute, made before the first pod, so that its check need not wait for it."""

from __future__ import annotations

from suites.kubernetes.pods import Pods
from suites.kubernetes.wire import BATCH, LABEL, Answer, Object

VERSIONS = ("v1", "v1beta1")  # the first came with 1.21, the second went with 1.25


class Cron:
    """Makes it; what the API says to that is judged by its check.

    Attributes:
        version: of the API, such as batch/v1; empty where there are no cron jobs.
        made: the answer to its creation.
    """

    def __init__(self, pods: Pods) -> None:
        self._wire = pods.wire
        served = [version for version in VERSIONS if self._served(version)]
        self.version = f"batch/{served[0]}" if served else ""
        self.made = Answer(status=0, body="", reason="", message="")
        if not served:
            return
        top = f"/apis/{self.version}/namespaces/{{namespace}}/cronjobs"
        job = {"template": {"spec": pods.spec("exit 0")}}
        template = {"metadata": {"labels": {LABEL: self._wire.group}}, "spec": job}
        spec = {"schedule": "* * * * *", "jobTemplate": template, "concurrencyPolicy": "Forbid"}
        self._wire.note(top, self._wire.name())
        self.made = self._wire(f"POST {top}", body=self._wire.body(spec=spec))

    def jobs(self) -> list[Object]:
        """The jobs that it has made and not cleared away."""
        return self._wire.ours(f"{BATCH}/jobs")

    def _served(self, version: str) -> bool:
        answer: Answer = self._wire(f"GET /apis/batch/{version}")
        if answer.status != 200:
            return False
        return any(kind["name"] == "cronjobs" for kind in answer.body["resources"])
