"""Renderers of a checkup: terminal, JSON and Markdown are siblings over the same data."""
