"""Loaders of the guidelines of other programmes, one module for each."""
