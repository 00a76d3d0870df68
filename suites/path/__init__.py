"""The data path between members (path)."""
