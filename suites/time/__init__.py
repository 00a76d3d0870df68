"""Clocks (time)."""
