"""Baseboard management controllers (bmc)."""
