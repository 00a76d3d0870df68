"""Comparison of results: what differs, what got worse, what is claimed, what can be relied on."""
