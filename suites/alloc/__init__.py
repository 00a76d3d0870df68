"""How a machine is asked for, reached and administered (alloc)."""
