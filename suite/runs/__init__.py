"""Runs on disk: writing, finding and loading run folders."""
