"""Signed bundles: made from a judged result, and looked at without trusting anybody."""
