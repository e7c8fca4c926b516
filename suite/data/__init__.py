"""Data sets: embedded ones (digits, scenes, prose, speech) and those in a user's folder (CIFAR-10, IMDb, COCO)."""
