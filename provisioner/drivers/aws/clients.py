"""The SDK's clients, made once, with credentials and endpoints found the AWS way."""

from __future__ import annotations

import threading
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from provisioner.drivers.aws.errors import translated
from provisioner.drivers.aws.settings import Settings

CONNECT_S = 10.0
READ_S = 60.0

# ``ONCE`` is for calls that make something and know no token: the SDK must not repeat them.
STEADY = {"retries": {"mode": "standard", "total_max_attempts": 3}}
ONCE = {"retries": {"mode": "standard", "total_max_attempts": 1}}
RAW = {**ONCE, "parameter_validation": False}


class Clients:
    """One client per service and way of calling; clients are safe to share between threads."""

    def __init__(self, platform: str, settings: Settings) -> None:
        self.platform = platform
        self._settings = settings
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], Any] = {}
        with translated(platform, "open the session"):
            # Set on this session only; the environment belongs to all threads.
            inner = botocore.session.Session(profile=settings.aws_profile or None)
            if settings.config_file is not None:
                inner.set_config_variable("config_file", str(settings.config_file))
            if settings.credentials_file is not None:
                inner.set_config_variable("credentials_file", str(settings.credentials_file))
            region = settings.region or None
            self._session = boto3.Session(botocore_session=inner, region_name=region)

    @property
    def region(self) -> str:
        """The region everything is in."""
        return str(self.ec2.meta.region_name)

    @property
    def session(self) -> Any:
        """The SDK's session, for signing what it has no call for."""
        return self._session

    @property
    def ec2(self) -> Any:
        """EC2, for reading and for calls that may be repeated."""
        return self._client("ec2", "steady", STEADY)

    @property
    def ec2_once(self) -> Any:
        """EC2, for calls that must not be repeated."""
        return self._client("ec2", "once", ONCE)

    @property
    def s3(self) -> Any:
        """S3."""
        return self._client("s3", "steady", STEADY)

    def raw(self, service: str) -> Any:
        """Any service, without the SDK's own checks and repeats."""
        return self._client(service, "raw", RAW)

    def _client(self, service: str, way: str, options: dict[str, Any]) -> Any:
        with self._lock:
            if (service, way) not in self._made:
                config = Config(
                    connect_timeout=CONNECT_S,
                    read_timeout=READ_S,
                    max_pool_connections=32,
                    **options,
                    # A service of one's own seldom has a DNS name per bucket.
                    **({"s3": {"addressing_style": "path"}} if self._settings.endpoint else {}),
                )
                endpoint = self._settings.endpoint or None
                with translated(self.platform, f"open {service}"):
                    made = self._session.client(service, endpoint_url=endpoint, config=config)
                self._made[service, way] = made
            return self._made[service, way]

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            made, self._made = list(self._made.values()), {}
        for client in made:
            client.close()
