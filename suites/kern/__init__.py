"""Kernel and processor (kern)."""
