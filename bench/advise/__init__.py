"""Advice: which state of a model to ship under stated limits, what it costs, and how sure that is."""
