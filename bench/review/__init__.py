"""The review: every graph of a run, or a user's own files, in Netron with our numbers, side by side, offline."""
