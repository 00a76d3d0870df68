"""The lab's clouds.yaml, and whose entries are in it."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.lab.openstack.place import REGION, Place

MEMBER_CLOUD = "interop-lab"
ADMIN_CLOUD = "interop-lab-admin"
MEMBER = "harness"  # user and project of platforms.yaml
# More users of the same standing, a project each, for checks of what tenants see of each other.
MEMBERS = (MEMBER, "tenant-1", "tenant-2", "tenant-3")
# entry of clouds.yaml -> user, who has a project of the same name
ENTRIES = {MEMBER_CLOUD: MEMBER} | {f"{MEMBER_CLOUD}-{name}": name for name in MEMBERS[1:]}


def text(place: Place, entries: Mapping[str, str], secrets: Mapping[str, str]) -> str:
    """A clouds.yaml; the passwords are hexadecimal digits."""
    return "clouds:\n" + "".join(
        f"""\
  {cloud}:
    auth_type: password
    auth:
      auth_url: "{place.url("keystone")}/v3"
      username: {user}
      password: "{secrets[user]}"
      project_name: {user}
      user_domain_name: Default
      project_domain_name: Default
    region_name: {REGION}
    identity_api_version: 3
"""
        for cloud, user in entries.items()
    )
