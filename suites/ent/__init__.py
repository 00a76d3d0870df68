"""Random numbers (ent)."""
