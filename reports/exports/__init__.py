"""Results and verdicts in the formats of other tools, each valid by its own schema."""
