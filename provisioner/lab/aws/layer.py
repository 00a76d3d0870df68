"""What makes the lab's root file system an AWS image: a thin folder laid over it.

The guests share the root file system read-only. What costs processor time at boot decides how many
instances stand after a minute, so cloud-init's stages run in one process that forks for each, as
cloud-init itself does since 24.3.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

USER = "admin"  # Source: Debian wiki, "Cloud/AmazonEC2Image/Bookworm"
FILES = Path(__file__).parent / "guest"

CLOUD_CONFIG = {
    "datasource_list": ["Ec2"],
    "datasource": {
        "Ec2": {
            "metadata_urls": ["http://169.254.169.254"],
            "timeout": 10,
            "max_wait": 120,
        }
    },
    "network": {"config": "disabled"},
    "disable_root": True,
    "ssh_genkeytypes": ["ed25519"],
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
    "system_info": {
        "default_user": {
            "name": USER,
            "lock_passwd": True,
            "gecos": "Debian",
            "groups": ["adm", "audio", "cdrom", "dialout", "dip", "floppy", "plugdev", "sudo",
                       "video"],
            "sudo": ["ALL=(ALL) NOPASSWD:ALL"],
            "shell": "/bin/bash",
        },
    },
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


def build(folder: Path) -> Path:
    """Write the layer to *folder*, replacing what is there; returns *folder*."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(FILES, folder, copy_function=shutil.copy)
    wants = folder / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    (wants / "cloud-init.service").symlink_to("../cloud-init.service")
    (wants / "systemd-logind.service").symlink_to("/dev/null")  # the first login starts it
    config = folder / "etc/cloud/cloud.cfg.d/95-aws.cfg"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        yaml.safe_dump(CLOUD_CONFIG, default_flow_style=None, width=200), encoding="utf-8"
    )
    units = folder / "etc/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    for name in MASKED:
        (units / name).symlink_to("/dev/null")
    generators = folder / "etc/systemd/system-generators"
    generators.mkdir()
    (generators / "cloud-init-generator").symlink_to("/dev/null")  # the data source is known
    (folder / "etc/hostname").write_text("localhost\n", encoding="utf-8")
    return folder
