"""Stored runs: where run folders lie, and how one is read back."""
