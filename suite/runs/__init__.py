"""Runs on disk: the folder that a run writes, where folders lie, and how one is read back."""
