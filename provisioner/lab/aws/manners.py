"""What EC2's front door does before and after any call, and moto does not: refuse, and page.

Source: EC2 API reference, "Error codes" and "Query requests"; the lists' MaxResults and NextToken.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Mapping

import botocore.session

from provisioner.lab.aws import wire

# action -> the element that holds its items; moto pages the others by itself
LISTS: Mapping[str, str] = {
    "DescribeSecurityGroups": "securityGroupInfo",
    "DescribeSnapshots": "snapshotSet",
    "DescribeSubnets": "subnetSet",
    "DescribeVolumes": "volumeSet",
    "DescribeVpcs": "vpcSet",
}
LARGEST = 1000
# Source: XML 1.0, 2.2 "Characters": what no answer could ever carry back
UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Refused(Exception):
    """A request that is answered with an error: a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


@functools.cache
def actions() -> frozenset[str]:
    """Every action of EC2, as the SDK's own description has them."""
    return frozenset(botocore.session.Session().get_service_model("ec2").operation_names)


def check(fields: Mapping[str, str]) -> None:
    """Let a request pass, or not.

    Raises:
        Refused: unknown action, or text that XML cannot carry.
    """
    action = fields.get("Action", "")
    if action not in actions():
        raise Refused("InvalidAction", f"The action {action} is not valid for this web service.")
    for name, value in fields.items():
        if UNSPEAKABLE.search(value):
            raise Refused("InvalidParameterValue", f"Value of {name} has invalid characters")


def wanted_page(fields: Mapping[str, str]) -> tuple[int, int] | None:
    """First item and number of items asked for; None where no paging is asked for.

    Raises:
        Refused: a size or token that is none.
    """
    action = fields.get("Action", "")
    if action not in LISTS or not fields.keys() & {"MaxResults", "NextToken"}:
        return None
    size = fields.get("MaxResults", str(LARGEST))
    if not re.fullmatch(r"[0-9]{1,6}", size) or int(size) < 1:
        raise Refused("InvalidParameterValue", f"Value ( {size} ) for parameter MaxResults")
    return _offset(action, fields.get("NextToken", "")), min(int(size), LARGEST)


def _offset(action: str, token: str) -> int:
    if not token:
        return 0
    try:
        said, _, number = base64.urlsafe_b64decode(token.encode("ascii")).decode().partition(":")
    except (ValueError, binascii.Error) as error:
        raise Refused("InvalidNextToken", "The specified token is not valid") from error
    if said != action or not number.isdigit():
        raise Refused("InvalidNextToken", "The specified token is not valid")
    return int(number)


def cut(document: wire.Document, action: str, first: int, size: int) -> None:
    """Leave one page of a list in its answer, and the token of the next if there is one."""
    for holder in document.all(LISTS[action]):
        items = list(holder)
        for item in (*items[:first], *items[first + size :]):
            holder.remove(item)
        for token in document.all("nextToken"):
            document.root.remove(token)
        if len(items) > first + size:
            text = base64.urlsafe_b64encode(f"{action}:{first + size}".encode()).decode()
            document.put("nextToken", text, document.root)
