"""Netron's drawings of graphs, made headless, and measurements for its sidebar."""
