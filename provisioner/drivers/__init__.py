"""Drivers: one module or folder per kind of platform."""
