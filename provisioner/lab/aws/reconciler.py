"""Makes guests, networks and volumes be what the API says, again and again.

Level-triggered: each pass reads the whole world and converges on it, so a lost wake-up, a killed
guest or an error of one pass heals in the next. Passes follow requests, and time.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import ipaddress
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from provisioner.errors import PlatformError
from provisioner.lab.aws.fabric import Fabric
from provisioner.lab.aws.guests import Maker
from provisioner.lab.aws.keeper import Keeper, Means, Phase
from provisioner.lab.aws.metadata import Card, Metadata
from provisioner.lab.aws.metadata_server import MetadataServer
from provisioner.lab.aws.reading import read_world
from provisioner.lab.aws.volumes import Volumes
from provisioner.lab.aws.world import Instance, World
from provisioner.lab.guests.guest import Guest

LOG = logging.getLogger(__name__)
RESYNC_S = 10.0
PAUSE_S = 0.2  # at least so long between two passes; wake-ups in between are one


class Reconciler:
    """The loop and what it has made.

    Args:
        ec2: an SDK client with all rights.
        region, account: what guests are told.
        fabric: the network.
        folder: where instances and volumes are kept.
        maker: makes guests.
        defects: faults on purpose.
    """

    def __init__(
        self,
        ec2: Any,
        *,
        region: str,
        account: str,
        fabric: Fabric,
        folder: Path,
        maker: Maker,
        defects: frozenset[str],
    ) -> None:
        self._ec2 = ec2
        self._region = region
        self._account = account
        self._fabric = fabric
        self._folder = folder
        self._maker = maker
        self._defects = defects
        self._world = World()
        self._keepers: dict[str, Keeper] = {}
        self._servers: dict[str, MetadataServer] = {}
        self._metadata = Metadata(time.monotonic, defects)
        self._keys: dict[str, str] = {}
        self._data: dict[tuple[str, int], bytes | None] = {}
        self._volumes = Volumes(folder / "volumes", self._guest, defects)
        self._means = Means(
            fabric=fabric,
            slots=threading.Semaphore(2 * (os.cpu_count() or 1)),
            plugging=threading.Lock(),
            devices=self._volumes.devices,
            plug_pulled=self._volumes.plug_pulled,
            powered_off=self._powered_off,
            changed=self.wake,
        )
        self._stir = threading.Event()
        self._begun = self._done = 0
        self._passed = threading.Condition()
        self._closing = False

    # -- from other threads --------------------------------------------------------------------

    def wake(self) -> None:
        """Something may have changed: look soon."""
        self._stir.set()

    def settle(self, timeout_s: float) -> bool:
        """Return once a whole pass was made that began after this call, or time is up."""
        with self._passed:
            wanted = self._begun + 1
            self._stir.set()
            return self._passed.wait_for(lambda: self._done >= wanted, timeout_s)

    def settle_volumes(self, timeout_s: float) -> None:
        """Return once all volumes are where the API says, or time is up."""
        deadline = time.monotonic() + timeout_s
        while self.settle(max(0.1, deadline - time.monotonic())):
            if self._volumes.settled(self._world) or time.monotonic() >= deadline:
                return

    def keeper(self, instance: str) -> Keeper | None:
        """Who keeps an instance's guest."""
        return self._keepers.get(instance)

    def stop_hard(self, instance: str) -> None:
        """The stop that was just asked for is a hard one."""
        keeper = self._keepers.get(instance)
        if keeper is not None:
            keeper.stop_hard()

    def reboot(self, instance: str) -> None:
        """Reboot an instance's guest."""
        keeper = self._keepers.get(instance)
        if keeper is not None:
            keeper.reboot()

    # -- the loop ------------------------------------------------------------------------------

    def run(self) -> None:
        """Make passes until ``close``."""
        while not self._closing:
            self._stir.wait(RESYNC_S)
            self._stir.clear()
            with self._passed:
                self._begun += 1
                mine = self._begun
            try:
                self._pass()
            except (BotoCoreError, ClientError, PlatformError, OSError) as error:
                LOG.error("pass %s: %s", mine, error)
                time.sleep(0.5)
            with self._passed:
                self._done = mine
                self._passed.notify_all()
            time.sleep(PAUSE_S)

    def _pass(self) -> None:
        world = self._altered(read_world(self._ec2))
        need = {i.vpc for i in world.instances.values() if not i.gone} & world.vpcs.keys()
        with self._means.plugging:
            for vpc in [*self._servers]:
                if vpc not in world.vpcs:
                    self._servers.pop(vpc).close()
            self._fabric.converge(world, need=need)
        self._world = world
        for vpc in self._fabric.known() - self._servers.keys():
            self._servers[vpc] = MetadataServer(
                self._fabric.namespace(vpc), self._metadata, functools.partial(self._card, vpc)
            )
        for instance in world.instances.values():
            self._keep(instance)
        self._volumes.converge(world)

    def _keep(self, instance: Instance) -> None:
        keeper = self._keepers.get(instance.id)
        if keeper is None:
            if instance.gone or instance.vpc not in self._fabric.known():
                return
            guest = self._maker(instance)
            self._public_key(instance)
            keeper = self._keepers[instance.id] = Keeper(instance, guest, self._means)
        elif keeper.phase is Phase.GONE:
            return
        keeper.update(instance)

    def _altered(self, world: World) -> World:
        """The world with the defects that are not in anybody else's hands."""
        if "address-moves" not in self._defects:
            return world
        moved = {}
        for instance in world.instances.values():
            keeper = self._keepers.get(instance.id)
            vpc = world.vpcs.get(instance.vpc)
            nets = [s.cidr for s in vpc.subnets if s.id == instance.subnet] if vpc else []
            if keeper is not None and keeper.stops and nets:  # terminated, it has no subnet
                last = int(ipaddress.ip_network(nets[0]).broadcast_address)
                other = ipaddress.ip_address(last - 2 - int(instance.private.split(".")[-1]))
                moved[instance.id] = dataclasses.replace(instance, private=str(other))
        return dataclasses.replace(world, instances={**world.instances, **moved})

    def _guest(self, instance: str) -> Guest | None:
        keeper = self._keepers.get(instance)
        return None if keeper is None else keeper.guest

    def _powered_off(self, instance: str) -> None:
        """A guest switched itself off: stop or terminate, as the instance was told to."""
        try:
            said = self._ec2.describe_instance_attribute(
                InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior"
            )
            behaviour = said["InstanceInitiatedShutdownBehavior"].get("Value")
            if behaviour == "terminate":
                self._ec2.terminate_instances(InstanceIds=[instance])
            else:
                self._ec2.stop_instances(InstanceIds=[instance])
        except (BotoCoreError, ClientError) as error:
            LOG.error("%s switched itself off, the API was not told: %s", instance, error)
        self.wake()

    # -- what guests are told --------------------------------------------------------------------

    def _card(self, vpc: str, address: str) -> Card | None:
        world = self._world
        for instance in world.instances.values():
            if instance.vpc == vpc and instance.private == address and not instance.gone:
                break
        else:
            return None
        subnet = next(s for s in world.vpcs[vpc].subnets if s.id == instance.subnet)
        return Card(
            instance=instance,
            vpc=world.vpcs[vpc],
            subnet=subnet,
            region=self._region,
            account=self._account,
            public_key=self._public_key(instance),
            user_data=self._user_data(instance.id),
            devices={
                "root": instance.root_device,
                **{
                    f"ebs{n}": v.device
                    for n, v in enumerate(
                        (v for v in world.volumes.values() if v.instance == instance.id), 1
                    )
                },
            },
        )

    def _public_key(self, instance: Instance) -> str:
        """The key an instance was launched with; deleting or replacing it later changes nothing."""
        if instance.id not in self._keys:
            found = ""
            if instance.key:
                try:
                    said = self._ec2.describe_key_pairs(
                        KeyNames=[instance.key], IncludePublicKey=True
                    )
                    found = str(said["KeyPairs"][0].get("PublicKey", "")).strip()
                except ClientError as error:
                    LOG.error("%s: key %s: %s", instance.id, instance.key, error)
            self._keys[instance.id] = found
        return self._keys[instance.id]

    def _user_data(self, instance: str) -> bytes | None:
        """User data as of the guest's last start; AWS lets it be changed while stopped."""
        keeper = self._keepers.get(instance)
        key = (instance, keeper.boots if keeper else 0)
        if key not in self._data:
            said = self._ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")
            value = said.get("UserData", {}).get("Value", "")
            self._data[key] = base64.b64decode(value) if value else None
        return self._data[key]

    # -- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """End all guests and let go of everything."""
        self._closing = True
        self._stir.set()
        keepers = list(self._keepers.values())
        for keeper in keepers:
            keeper.end()
        deadline = time.monotonic() + 8.0
        for keeper in keepers:
            keeper.join(max(0.05, deadline - time.monotonic()))
        self._fabric.close()
