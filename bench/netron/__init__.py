"""Netron's own pictures of graphs, taken headless, and our numbers for its sidebar."""
