"""What makes the lab's root file system a cloud's image: a thin folder laid over it.

All guests share the root file system read-only. What costs processor time at boot decides how many
stand after a minute, so cloud-init's stages run in one process that forks for each, as cloud-init
itself does since 24.3.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILES = Path(__file__).parent / "files"

MODULES: Mapping[str, Any] = {
    "cloud_init_modules": [
        "bootcmd", "write-files", "disk_setup", "mounts", "set_hostname", "update_hostname",
        "update_etc_hosts", "users-groups", "ssh",
    ],
    "cloud_config_modules": ["ssh-import-id", "set-passwords", "ntp", "timezone", "runcmd"],
    "cloud_final_modules": [
        "write-files-deferred", "scripts-vendor", "scripts-per-once", "scripts-per-boot",
        "scripts-per-instance", "scripts-user", "ssh-authkey-fingerprints", "keys-to-console",
        "phone-home", "final-message", "power-state-change",
    ],
}  # fmt: skip
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "cloud-config.service", "cloud-final.service",
    "cloud-init-hotplugd.service", "cloud-init-hotplugd.socket", "cloud-init-local.service",
    "console-getty.service", "container-getty@.service", "dpkg-db-backup.timer",
    "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "getty@.service", "getty.target",
    "ldconfig.service", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount",
    "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path", "systemd-firstboot.service",
    "systemd-hwdb-update.service", "systemd-journal-catalog-update.service",
    "systemd-journal-flush.service", "systemd-modules-load.service",
    "systemd-network-generator.service", "systemd-pcrphase.service",
    "systemd-pcrphase-initrd.service", "systemd-pcrphase-sysinit.service",
    "systemd-pstore.service", "systemd-random-seed.service", "systemd-repart.service",
    "systemd-sysext.service", "systemd-sysusers.service", "systemd-tmpfiles-clean.timer",
    "systemd-update-done.service", "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service", "systemd-timesyncd.service",
)  # fmt: skip


def configuration(
    user: str, sources: Sequence[str], datasource: Mapping[str, Any]
) -> dict[str, Any]:
    """cloud-init's, for one cloud.

    Args:
        user: who logs in.
        sources: the names of its data sources, the first to ask first.
        datasource: what these are told.
    """
    return {
        "datasource_list": list(sources),
        "datasource": dict(datasource),
        "network": {"config": "disabled"},
        "disable_root": True,
        "ssh_genkeytypes": ["ed25519"],
        **MODULES,
        "system_info": {
            "default_user": {
                "name": user,
                "lock_passwd": True,
                "gecos": "Debian",
                "groups": ["adm", "audio", "cdrom", "dialout", "dip", "floppy", "plugdev", "sudo",
                           "video"],
                "sudo": ["ALL=(ALL) NOPASSWD:ALL"],
                "shell": "/bin/bash",
            },
        },
    }  # fmt: skip


def build(folder: Path, config: Mapping[str, Any], rules: Sequence[str] = ()) -> Path:
    """Write the layer to *folder*, replacing what is there; returns *folder*.

    Args:
        folder: where to.
        config: cloud-init's configuration.
        rules: lines for udev, in guests that have one.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(FILES, folder, copy_function=shutil.copy)
    wants = folder / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    mounts = folder / "etc/systemd/system/local-fs.target.wants"
    mounts.mkdir()
    for name in ("proc-cpuinfo.mount", "sys-block.mount"):
        (mounts / name).symlink_to(f"../{name}")
    (wants / "cloud-init.service").symlink_to("../cloud-init.service")
    (wants / "systemd-logind.service").symlink_to("/dev/null")  # the first login starts it
    told = folder / "etc/cloud/cloud.cfg.d/95-lab.cfg"
    told.parent.mkdir(parents=True, exist_ok=True)
    told.write_text(json.dumps(config, indent=1), encoding="utf-8")  # JSON is YAML
    if rules:
        with (folder / "etc/udev/rules.d/70-lab.rules").open("a", encoding="utf-8") as out:
            out.writelines(f"{rule}\n" for rule in rules)
    units = folder / "etc/systemd/system"
    for name in MASKED:
        (units / name).symlink_to("/dev/null")
    generators = folder / "etc/systemd/system-generators"
    generators.mkdir()
    (generators / "cloud-init-generator").symlink_to("/dev/null")  # the data source is known
    # cloud-init, too, then leaves the network to networkd, and does not look for the interfaces of
    # its data source below /sys, which in a container shows the host's
    no_network = folder / "var/lib/cloud/data/upgraded-network"
    no_network.parent.mkdir(parents=True)
    no_network.touch()
    (folder / "etc/hostname").write_text("localhost\n", encoding="utf-8")
    return folder
