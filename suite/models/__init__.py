"""The built-in models: one file per family, one record per model.

A file here holds `MODELS`, a tuple of ModelSpec, and is imported by the parent: no torch at module level.
"""
