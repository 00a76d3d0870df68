"""What the OpenStack API references promise, looked at on the wire."""
