"""The lab's AWS put together: ``run`` is what its daemon calls."""

from __future__ import annotations

import logging
import shutil
from typing import Any

from provisioner.errors import BadRequest
from provisioner.lab.aws import catalog, layer
from provisioner.lab.aws.declared import DECLARED
from provisioner.lab.aws.defects import known
from provisioner.lab.aws.fabric import OUTSIDE, Fabric
from provisioner.lab.aws.guests import Maker
from provisioner.lab.guests import boot
from provisioner.lab.images import Images
from provisioner.lab.limits import raise_limit
from provisioner.lab.space import Space
from provisioner.lab.state import State

LOG = logging.getLogger(__name__)
PLATFORM = "aws"
ACCOUNT = "123456789012"  # moto's


def run(space: Space, state: State, images: Images) -> None:
    """Serve until the process is told to leave.

    Raises:
        BadRequest: an unknown defect was asked for.
        PlatformFault: a system command failed.
    """
    try:
        defects = known(state.defects(PLATFORM))
    except ValueError as error:
        raise BadRequest(str(error)) from error
    for old in (state.folder(PLATFORM), state.bulk(PLATFORM)):
        shutil.rmtree(old)  # an earlier daemon's is of no use: the API's memory is gone with it
    folder, disks = state.folder(PLATFORM), state.bulk(PLATFORM)
    state.progress(PLATFORM, "root file system")
    made_of = boot.image(images, layer.build(folder / "layer"), folder)
    state.progress(PLATFORM, "starting the API")
    catalog.prepare(folder)

    from provisioner.lab.aws.endpoint import PROFILE, Endpoint
    from provisioner.lab.aws.reconciler import Reconciler
    from provisioner.lab.aws.truth import GuestTruth

    raise_limit()
    fabric = Fabric(space, folder / "names", catalog.REGION, defects)
    fabric.open()
    endpoint = Endpoint()
    reconciler = Reconciler(
        endpoint.client("ec2"),
        region=catalog.REGION,
        account=ACCOUNT,
        fabric=fabric,
        folder=disks,
        maker=Maker(disks / "instances", made_of, defects),
        defects=defects,
    )
    endpoint.put_front(GuestTruth(reconciler, defects))
    config, credentials = endpoint.write_profile(folder)
    entry: dict[str, Any] = {
        "kind": "aws",
        "emulator": True,
        "region": catalog.REGION,
        "aws_profile": PROFILE,
        "config_file": str(config),
        "credentials_file": str(credentials),
        "harness_address": f"{OUTSIDE}/32",
        "limits": {"visibility_s": 0.5},  # the API is consistent at once
        "reach": {"broker": str(space.broker_socket)},
        "declared": DECLARED,
    }
    state.ready(PLATFORM, entry)
    state.progress(PLATFORM, f"serving {endpoint.url}")
    try:
        reconciler.run()
    finally:
        reconciler.close()
        endpoint.close()
