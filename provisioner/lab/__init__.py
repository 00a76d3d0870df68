"""The embedded lab: real platforms on one Linux machine."""
