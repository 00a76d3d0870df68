"""Addresses and names (net)."""
