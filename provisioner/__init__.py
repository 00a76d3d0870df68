"""Stands up workloads on platforms and takes them down again without a trace."""
