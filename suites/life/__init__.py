"""The life of a machine: reboot, stop, console, delete (life)."""
