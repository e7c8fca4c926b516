"""The doctor: what is this machine, is it fit to run PyTorch, is it fit to measure.

Imports nothing of `suite` or `bench`, and no library outside the standard library (rich only
for looks): a doctor must work where the examined Python does not.
"""
