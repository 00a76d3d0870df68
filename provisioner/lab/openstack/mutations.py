"""Faults of the APIs: the true service answers, and one kind of answer is altered on the way.

Each stands for a way in which a cloud may differ from the API reference. ``altering`` does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NEW = '"id": "00000000-0000-4000-8000-00000000dead"'  # of what was never made


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """Which answers are altered, and how.

    Args:
        service: whose API.
        call: method and path (with query), as a regular expression.
        was: statuses of the true answer that are altered.
        status: the status that is told instead; empty keeps it.
        body: the body that is told instead; None keeps it.
        swap: a pattern in the body, and what is put in its place.
        asked: a text that must be in the request's body.
        checks: what must fail because of it.
    """

    service: str
    call: str
    was: tuple[int, ...]
    status: str = ""
    body: str | None = None
    swap: tuple[str, str] = ("", "")
    asked: str = ""
    checks: tuple[str, ...]


MUTATIONS: Mapping[str, Mutation] = {
    "api-versions-are-secret": Mutation(
        service="keystone", call=r"GET /v3/$", was=(200, 300), status="401 Unauthorized",
        checks=("os-identity-01",),
    ),
    "api-unknown-users-are-told": Mutation(
        service="keystone", call=r"POST /v3/auth/tokens", was=(401,), asked="nobody-of-that-name",
        swap=(r'"message": ?"[^"]*"', '"message": "there is no such user"'),
        checks=("os-identity-02",),
    ),
    "api-any-token-opens": Mutation(
        service="nova", call=r"GET /v2.1/servers", was=(401,), status="200 OK",
        body='{"servers": []}', checks=("os-identity-03",),
    ),
    "api-revoked-tokens-open": Mutation(
        service="keystone", call=r"GET /v3/auth/projects", was=(401,), status="200 OK",
        body='{"projects": []}', checks=("os-identity-04",),
    ),
    "api-credentials-make-others": Mutation(
        service="keystone", call=r"POST /v3/users/[^/]*/application_credentials", was=(403,),
        status="201 Created", body=f'{{"application_credential": {{{NEW}}}}}',
        checks=("os-identity-05",),
    ),
    "api-tokens-do-not-expire": Mutation(
        service="keystone", call=r"GET /v3/auth/domains", was=(401,), status="200 OK",
        body='{"domains": []}', checks=("os-identity-08",),
    ),
    "api-others-things-are-told": Mutation(
        service="glance", call=r"DELETE /v2/images/[^/]+$", was=(404,), status="403 Forbidden",
        checks=("os-identity-07",),
    ),
    "api-an-address-leads-nowhere": Mutation(
        service="keystone", call=r"GET /v3/auth/catalog", was=(200,),
        swap=('"url": ?"([^"]*)"', r'"url": "\1/nowhere"'),
        checks=("os-identity-06",),
    ),
    "api-limit-ignored": Mutation(
        service="nova", call=r"GET /v2.1/servers\?.*limit=", was=(400,), status="200 OK",
        body='{"servers": []}', checks=("os-compute-01",),
    ),
    "api-bad-server-is-our-fault": Mutation(
        service="nova", call=r"POST /v2.1/servers$", was=(400, 404),
        status="500 Internal Server Error", checks=("os-compute-02",),
    ),
    "api-any-moment-will-do": Mutation(
        service="nova", call=r"GET /v2.1/servers\?changes-since", was=(400,), status="200 OK",
        body='{"servers": []}', checks=("os-compute-03",),
    ),
    "api-any-microversion-will-do": Mutation(
        service="nova", call=r"GET /v2.1/servers", was=(406,), status="200 OK",
        body='{"servers": []}', checks=("os-compute-04",),
    ),
    "api-key-names-are-shared": Mutation(
        service="nova", call=r"POST /v2.1/os-keypairs", was=(409,), status="200 OK",
        body='{"keypair": {}}', checks=("os-compute-05",),
    ),
    "api-odd-names-break-it": Mutation(
        service="nova", call=r"GET /v2.1/servers\?name=.*%", was=(200, 400),
        status="500 Internal Server Error", checks=("os-compute-06",),
    ),
    "api-stopped-is-told-paused": Mutation(
        service="nova", call=r"GET /v2.1/servers/[^/]+$", was=(200,),
        swap=('"status": ?"SHUTOFF"', '"status": "PAUSED"'), checks=("os-compute-07",),
    ),
    "api-any-state-will-do": Mutation(
        service="nova", call=r"POST /v2.1/servers/.*/action", was=(409,), status="202 Accepted",
        body="", checks=("os-compute-08",),
    ),
    "api-resize-to-the-same": Mutation(
        service="nova", call=r"POST /v2.1/servers/.*/action", was=(400,), asked='"resize"',
        status="202 Accepted", body="", checks=("os-compute-09",),
    ),
    "api-rebuild-from-nothing": Mutation(
        service="nova", call=r"POST /v2.1/servers/.*/action", was=(400,), asked='"rebuild"',
        status="202 Accepted", body="", checks=("os-compute-10",),
    ),
    "api-server-names-are-trimmed": Mutation(
        service="nova", call=r"PUT /v2.1/servers/[^/]+$", was=(200,),
        swap=('"name": ?"(?:[^"\\\\]|\\\\.)', '"name": "'), checks=("os-compute-11",),
    ),
    "api-tags-without-end": Mutation(
        service="nova", call=r"PUT /v2.1/servers/[^/]+/tags", was=(400,), status="200 OK",
        body='{"tags": []}', checks=("os-compute-12",),
    ),
    "api-metadata-without-end": Mutation(
        service="nova", call=r"POST /v2.1/servers/[^/]+/metadata", was=(400,), status="200 OK",
        body='{"metadata": {}}', checks=("os-compute-13",),
    ),
    "api-any-length-will-do": Mutation(
        service="nova", call=r"POST /v2.1/servers/.*/action", was=(400,),
        asked='"os-getConsoleOutput"', status="200 OK", body='{"output": ""}',
        checks=("os-compute-14",),
    ),
    "api-requests-are-forgotten": Mutation(
        service="nova", call=r"GET /v2.1/servers/[^/]+/os-instance-actions$", was=(200,),
        swap=('"request_id": ?"req-', '"request_id": "req-0'), checks=("os-compute-15",),
    ),
    "api-user-data-without-end": Mutation(
        service="nova", call=r"POST /v2.1/servers$", was=(400,), asked='"user_data"',
        status="202 Accepted", body=f'{{"server": {{{NEW}}}}}', checks=("os-compute-16",),
    ),
    "api-wrong-fingerprint": Mutation(
        service="nova", call=r"GET /v2.1/os-keypairs/[^/]+$", was=(200,),
        swap=('"fingerprint": ?"..', '"fingerprint": "--'), checks=("os-compute-17",),
    ),
    "api-subnets-overlap": Mutation(
        service="neutron", call=r"POST /v2.0/subnets", was=(400, 409), status="201 Created",
        body=f'{{"subnet": {{{NEW}}}}}', checks=("os-network-01",),
    ),
    "api-rules-twice": Mutation(
        service="neutron", call=r"POST /v2.0/security-group-rules", was=(409,),
        status="201 Created", body=f'{{"security_group_rule": {{{NEW}}}}}',
        checks=("os-network-02",),
    ),
    "api-default-group-goes": Mutation(
        service="neutron", call=r"DELETE /v2.0/security-groups/", was=(409,),
        status="204 No Content", body="", checks=("os-network-03",),
    ),
    "api-addresses-anywhere": Mutation(
        service="neutron", call=r"POST /v2.0/ports", was=(400,), status="201 Created",
        body=f'{{"port": {{{NEW}}}}}', checks=("os-network-04",),
    ),
    "api-used-networks-go": Mutation(
        service="neutron", call=r"DELETE /v2.0/networks/", was=(409,), status="204 No Content",
        body="", checks=("os-network-05",),
    ),
    "api-name-servers-sorted": Mutation(
        service="neutron", call=r"GET /v2.0/subnets", was=(200,),
        swap=('"10.92.0.9", ?"10.92.0.8"', '"10.92.0.8", "10.92.0.9"'),
        checks=("os-network-06",),
    ),
    "api-addresses-lead-elsewhere": Mutation(
        service="neutron", call=r"GET /v2.0/floatingips/[^/]+$", was=(200,),
        swap=('"fixed_ip_address": ?"[^"]*"', '"fixed_ip_address": "10.0.0.1"'),
        checks=("os-network-07",),
    ),
    "api-icmp-without-a-type": Mutation(
        service="neutron", call=r"POST /v2.0/security-group-rules", was=(400,), asked='"icmp"',
        status="201 Created", body=f'{{"security_group_rule": {{{NEW}}}}}',
        checks=("os-network-08",),
    ),
    "api-quota-counts-nothing": Mutation(
        service="neutron", call=r"GET /v2.0/quotas/[^/]+/details", was=(200,),
        swap=(r'"used": ?\d+', '"used": 0'), checks=("os-network-09",),
    ),
    "api-network-names-are-trimmed": Mutation(
        service="neutron", call=r"PUT /v2.0/networks/[^/]+$", was=(200,),
        swap=('"name": ?"(?:[^"\\\\]|\\\\.)', '"name": "'), checks=("os-network-10",),
    ),
    "api-used-routers-go": Mutation(
        service="neutron", call=r"DELETE /v2.0/routers/", was=(409,), status="204 No Content",
        body="", checks=("os-network-11",),
    ),
    "api-macs-are-shared": Mutation(
        service="neutron", call=r"POST /v2.0/ports", was=(409,), asked='"mac_address"',
        status="201 Created", body=f'{{"port": {{{NEW}}}}}', checks=("os-network-12",),
    ),
    "api-wrong-digest": Mutation(
        service="glance", call=r"GET /v2/images/[^/]+$", was=(200,),
        # only of what the check made: nova looks at the digest of what it boots
        swap=(r'(?s)^(?=.*"interop-os-)(.*"os_hash_value": ?")[0-9a-f]{4}', r"\g<1>0bad"),
        checks=("os-image-01",),
    ),
    "api-protection-is-forgotten": Mutation(
        service="glance", call=r"DELETE /v2/images/", was=(403,), status="204 No Content",
        body="", checks=("os-image-02",),
    ),
    "api-any-format-will-do": Mutation(
        service="glance", call=r"POST /v2/images$", was=(400,), status="201 Created",
        body=f"{{{NEW}}}", checks=("os-image-03",),
    ),
    "api-properties-are-trimmed": Mutation(
        service="glance", call=r"GET /v2/images/[^/]+$", was=(200,),
        swap=('"interop_text": ?"(?:[^"\\\\]|\\\\.)', '"interop_text": "'),
        checks=("os-image-04",),
    ),
    "api-images-are-filled-twice": Mutation(
        service="glance", call=r"PUT /v2/images/[^/]+/file", was=(409,), status="204 No Content",
        body="", checks=("os-image-05",),
    ),
    "api-any-import-will-do": Mutation(
        service="glance", call=r"POST /v2/images/[^/]+/import", was=(400,),
        status="202 Accepted", body="", checks=("os-image-06",),
    ),
    "api-imports-come-to-nothing": Mutation(
        service="glance", call=r"POST /v2/images/[^/]+/import", was=(202,), asked="glance-direct",
        status="409 Conflict", body="", checks=("os-image-11",),
    ),
    "api-owners-accept-for-others": Mutation(
        service="glance", call=r"PUT /v2/images/[^/]+/members/", was=(403,), status="200 OK",
        body='{"status": "accepted"}', checks=("os-image-07",),
    ),
    "api-deactivated-images-are-given": Mutation(
        service="glance", call=r"GET /v2/images/[^/]+/file", was=(403,), status="200 OK",
        body="", checks=("os-image-08",),
    ),
    "api-offers-stay-open": Mutation(
        service="glance", call=r"PUT /v2/images/[^/]+/members/", was=(200,),
        swap=('"status": ?"accepted"', '"status": "pending"'), checks=("os-image-10",),
    ),
    "api-images-fit-anywhere": Mutation(
        service="nova", call=r"POST /v2.1/servers$", was=(400,), asked="interop-too-small",
        status="202 Accepted", body=f'{{"server": {{{NEW}}}}}', checks=("os-image-09",),
    ),
    "api-no-size-will-do": Mutation(
        service="cinder", call=r"POST /v3/[^/]*/?volumes$", was=(400,), status="202 Accepted",
        body=f'{{"volume": {{{NEW}}}}}', checks=("os-volume-01",),
    ),
    "api-volumes-shrink": Mutation(
        service="cinder", call=r"POST /v3/.*/action", was=(400,), status="202 Accepted",
        body="", checks=("os-volume-02",),
    ),
    "api-gone-is-accepted": Mutation(
        service="cinder", call=r"DELETE /v3/.*volumes/", was=(404,), status="202 Accepted",
        body="", checks=("os-volume-03",),
    ),
    "api-volumes-stay-small": Mutation(
        service="cinder", call=r"POST /v3/.*/action", was=(202,), asked='"new_size": 3',
        status="400 Bad Request", body='{"badRequest": {"code": 400, "message": "no"}}',
        checks=("os-volume-04",),
    ),
    "api-used-volumes-go": Mutation(
        service="cinder", call=r"DELETE /v3/.*volumes/", was=(400,), status="202 Accepted",
        body="", checks=("os-volume-05",),
    ),
    "api-clones-shrink": Mutation(
        service="cinder", call=r"POST /v3/[^/]*/?volumes$", was=(400,), asked='"source_volid"',
        status="202 Accepted", body=f'{{"volume": {{{NEW}}}}}', checks=("os-volume-06",),
    ),
    "api-any-type-will-do": Mutation(
        service="cinder", call=r"POST /v3/[^/]*/?volumes$", was=(404,), status="202 Accepted",
        body=f'{{"volume": {{{NEW}}}}}', checks=("os-volume-07",),
    ),
    "api-volume-metadata-without-end": Mutation(
        service="cinder", call=r"POST /v3/.*/metadata", was=(400,), status="200 OK",
        body='{"metadata": {}}', checks=("os-volume-08",),
    ),
    "api-any-key-will-do": Mutation(
        service="cinder", call=r"POST /v3/.*/accept", was=(400,), status="202 Accepted",
        body='{"transfer": {}}', checks=("os-volume-09",),
    ),
    "api-volumes-are-attached-twice": Mutation(
        service="nova", call=r"POST /v2.1/servers/[^/]+/os-volume_attachments", was=(400, 409),
        status="200 OK", body='{"volumeAttachment": {}}', checks=("os-volume-10",),
    ),
    "api-used-volumes-stay-small": Mutation(
        service="cinder", call=r"POST /v3/.*/action", was=(202,), asked='"new_size": 2',
        status="400 Bad Request", body='{"badRequest": {"code": 400, "message": "no"}}',
        checks=("os-volume-11",),
    ),
}  # fmt: skip
