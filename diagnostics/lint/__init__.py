"""Judges an install command or a requirements file before anything is downloaded."""
