"""What a machine learns when it first runs: metadata, user data, identity (meta)."""
