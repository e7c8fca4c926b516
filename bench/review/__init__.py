"""Offline review: every graph of a run, or a user's own files, in Netron with measurements, side by side."""
