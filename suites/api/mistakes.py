"""Mistakes one can make with each API, for the properties of errors; written as that API has it.

None of them would make or change anything if the platform took it for no mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GONE_VOLUME = "vol-0fffffffffffffff0"
GONE_MACHINE = "i-0fffffffffffffff0"
PLACE = "/api/v1/namespaces/{namespace}"  # of a cluster; the call puts the namespace in
GONE_UUID = "00000000-0000-4000-8000-0000000000ff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One wrong call. Mistakes of the same *sort* must get the same error code."""

    sort: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


MISTAKES: Mapping[str, tuple[Mistake, ...]] = {
    "fake": (
        Mistake(sort="gone", operation="read", parameters={"kind": "volume", "id": "vol-ffffffff"}),
        Mistake(
            sort="gone", operation="delete", parameters={"kind": "volume", "id": "vol-ffffffff"}
        ),
        Mistake(sort="malformed", operation="read", parameters={"kind": "volume", "id": "what?"}),
        Mistake(sort="malformed", operation="delete", parameters={"kind": "volume", "id": "what?"}),
        Mistake(sort="missing", operation="create", parameters={"kind": "volume"}),
        Mistake(sort="missing", operation="read", parameters={"kind": "volume"}),
        Mistake(sort="unknown-operation", operation="transmogrify", parameters={"kind": "volume"}),
    ),
    "aws": (
        Mistake(sort="gone", operation="DescribeVolumes", parameters={"VolumeIds": [GONE_VOLUME]}),
        Mistake(sort="gone", operation="DeleteVolume", parameters={"VolumeId": GONE_VOLUME}),
        Mistake(
            sort="gone-key",
            operation="DescribeKeyPairs",
            parameters={"KeyNames": ["interop-no-such-key"]},
        ),
        Mistake(
            sort="malformed",
            operation="DescribeInstances",
            parameters={"InstanceIds": ["not-an-instance"]},
        ),
        Mistake(
            sort="malformed",
            operation="TerminateInstances",
            parameters={"InstanceIds": ["not-an-instance"]},
        ),
        Mistake(
            sort="gone-machine",
            operation="DescribeInstances",
            parameters={"InstanceIds": [GONE_MACHINE]},
        ),
        Mistake(
            sort="gone-machine",
            operation="TerminateInstances",
            parameters={"InstanceIds": [GONE_MACHINE]},
        ),
        Mistake(sort="unknown-operation", operation="TransmogrifyVolumes"),
    ),
    # nova and cinder name a mistake by its kind, neutron by its kind of thing.
    "openstack": (
        Mistake(sort="gone", operation=f"compute GET /servers/{GONE_UUID}"),
        Mistake(sort="gone", operation=f"compute DELETE /servers/{GONE_UUID}"),
        Mistake(sort="gone", operation=f"volume GET /volumes/{GONE_UUID}"),
        Mistake(sort="gone", operation=f"volume DELETE /volumes/{GONE_UUID}"),
        Mistake(sort="gone-network", operation=f"network GET /networks/{GONE_UUID}"),
        Mistake(sort="gone-network", operation=f"network DELETE /networks/{GONE_UUID}"),
        Mistake(
            sort="malformed",
            operation="compute POST /servers",
            parameters={"body": {"server": {"name": ["not", "a", "name"]}}},
        ),
        Mistake(
            sort="malformed",
            operation="volume POST /volumes",
            parameters={"body": {"volume": {"size": "large"}}},
        ),
        Mistake(
            sort="malformed",
            operation="compute POST /servers",
            parameters={"text": "no JSON at all", "headers": {"Content-Type": "application/json"}},
        ),
    ),
    "kubernetes": (
        Mistake(sort="gone", operation=f"GET {PLACE}/persistentvolumeclaims/interop-none"),
        Mistake(sort="gone", operation=f"DELETE {PLACE}/persistentvolumeclaims/interop-none"),
        Mistake(sort="gone", operation=f"GET {PLACE}/services/interop-none"),
        Mistake(
            sort="malformed",
            operation=f"POST {PLACE}/configmaps",
            parameters={"body": {"metadata": {"name": "Not A Name"}}},
        ),
        Mistake(
            sort="malformed",
            operation=f"POST {PLACE}/services",
            parameters={"body": {"metadata": {"name": "Not A Name"}}},
        ),
        Mistake(
            sort="unreadable",
            operation=f"POST {PLACE}/configmaps",
            parameters={"text": "no JSON at all"},
        ),
        Mistake(sort="unreadable", operation=f"POST {PLACE}/services", parameters={"text": "{"}),
        Mistake(
            sort="wrong-type",
            operation=f"POST {PLACE}/configmaps",
            parameters={"text": "a", "content_type": "text/plain"},
        ),
    ),
}
