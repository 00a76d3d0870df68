"""moto on the host's loopback, with signatures checked, behind our front."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from provisioner.lab.aws import catalog
from provisioner.lab.aws.defaults import default_subnet_addresses
from provisioner.lab.aws.front import Application, Front, Truth
from provisioner.lab.aws.signing import Signer

HOST = "127.0.0.1"
PROFILE = "interop-lab"
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """An access key."""

    id: str
    secret: str


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


class Endpoint:
    """The API on a free port of the loopback. ``catalog.prepare`` must have run before.

    Raises:
        OSError: no port could be bound.
    """

    def __init__(self) -> None:
        from moto.server import (  # type: ignore[attr-defined]
            DomainDispatcherApplication,
            create_backend_app,
        )

        catalog.fewer_sizes()
        default_subnet_addresses()
        self._application: Application = DomainDispatcherApplication(create_backend_app)
        self._socket = socket.create_server((HOST, 0), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._server: BaseWSGIServer = make_server(
            HOST,
            self.port,
            self._dispatch,
            threaded=True,
            request_handler=_Quiet,
            fd=self._socket.fileno(),
        )
        threading.Thread(target=self._server.serve_forever, name="api", daemon=True).start()
        self._http = URLLib3Session(timeout=TIMEOUT_S)
        self.keys: Mapping[str, Keys] = self._bootstrap()

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://{HOST}:{self.port}"

    def _dispatch(self, environ: dict[str, Any], start: Any) -> Any:
        return self._application(environ, start)

    def _bootstrap(self) -> dict[str, Keys]:
        """Make our users while nothing is checked yet; after that everything is."""
        nobody = Keys(id="bootstrap", secret="bootstrap")  # noqa: S106 - valid for six calls
        iam = self.client("iam", nobody)
        made = {}
        for user in catalog.USERS:
            iam.create_user(UserName=user)
            iam.put_user_policy(
                UserName=user, PolicyName="everything", PolicyDocument=json.dumps(ALL)
            )
            key = iam.create_access_key(UserName=user)["AccessKey"]
            made[user] = Keys(id=key["AccessKeyId"], secret=key["SecretAccessKey"])
        return made

    def client(self, service: str, keys: Keys | None = None) -> Any:
        """An SDK client; with all rights where no keys are given."""
        keys = keys or self.keys["fabric"]
        return boto3.session.Session().client(
            service,
            endpoint_url=self.url,
            region_name=catalog.REGION,
            aws_access_key_id=keys.id,
            aws_secret_access_key=keys.secret,
            config=Config(
                max_pool_connections=32, retries={"mode": "standard", "total_max_attempts": 2}
            ),
        )

    def put_front(self, truth: Truth) -> None:
        """From now on answers are made true by *truth*; our own client still sees moto's."""
        behind = self._application
        harness = self.keys["harness"]
        front = Front(behind, truth, self._ask, Signer({harness.id: harness.secret}))
        mine = f"Credential={self.keys['fabric'].id}/"

        def choose(environ: dict[str, Any], start: Any) -> Any:
            own = mine in environ.get("HTTP_AUTHORIZATION", "")
            return (behind if own else front)(environ, start)

        self._application = choose

    def _ask(self, fields: Mapping[str, str]) -> bytes:
        """An EC2 call with our own key, answered by moto alone."""
        keys = self.keys["fabric"]
        request = AWSRequest(
            method="POST",
            url=f"{self.url}/",
            data=urlencode(fields),
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        )
        SigV4Auth(Credentials(keys.id, keys.secret), "ec2", catalog.REGION).add_auth(request)
        content: bytes = self._http.send(request.prepare()).content
        return content

    def write_profile(self, folder: Path) -> tuple[Path, Path]:
        """AWS's config and credentials files for the harness; only their owner may read them."""
        keys = self.keys["harness"]
        config, credentials = folder / "config", folder / "credentials"
        _write(
            config,
            f"[profile {PROFILE}]\nregion = {catalog.REGION}\nendpoint_url = {self.url}\n"
            "s3 =\n    addressing_style = path\n",
        )
        _write(
            credentials,
            f"[{PROFILE}]\naws_access_key_id = {keys.id}\naws_secret_access_key = {keys.secret}\n",
        )
        return config, credentials

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._socket.close()


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
