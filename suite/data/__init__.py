"""Data sets: two embedded ones per kind of sample, and those read from a user's folder (CIFAR-10, IMDb, COCO)."""
