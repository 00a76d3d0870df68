"""Firewalls (fw)."""
