"""Tempest, OpenStack's own suite, run as it is and judged like any other evidence."""
