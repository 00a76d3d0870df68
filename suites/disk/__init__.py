"""Root disks and volumes (disk)."""
