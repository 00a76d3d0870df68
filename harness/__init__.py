"""Configuration, command line and orchestration of runs."""
