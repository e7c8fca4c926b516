"""Data sets: embedded ones, two for each kind of sample, and those in a user's folder (CIFAR-10, IMDb, COCO)."""
