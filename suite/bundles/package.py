"""Worker side. Package: what a backend needs to run a model elsewhere, and the lines that load it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Files of a model, and how Python runs them."""

    imports: tuple[str, ...]
    """Import statements."""
    lines: tuple[str, ...]
    """Statements that define `call()`, one forward pass that returns when it is done, and `arrays(answer)`, its result
    as NumPy arrays. They may use `here`, the folder, and `inputs`, name -> array."""
    libraries: tuple[str, ...]
    """Distributions that are imported, to be pinned."""
