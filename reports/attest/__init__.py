"""Signed statements about results and verdicts, and what can be said of them afterwards."""
