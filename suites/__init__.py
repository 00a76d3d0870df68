"""The checks, as pytest modules, one folder per guideline chapter."""
