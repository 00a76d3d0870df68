"""Properties of the API itself, with generated examples (P)."""
