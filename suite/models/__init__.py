"""The built-in models: one file per family, one record per model.

Each file defines `MODELS`, a tuple of ModelSpec, and is imported by the parent process: no torch at module level.
"""
