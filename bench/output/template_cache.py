"""Compiled templates of HTML pages, kept in the user's cache: compiling them takes a tenth of a large report."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from jinja2 import __version__
from jinja2.bccache import Bucket, BytecodeCache

CODE: Final = 2
"""Version of the code that templates are compiled to."""


class TemplateCache(BytecodeCache):
    """Bytecode of templates, one file for each; a file that cannot be read or written costs time, not the page.

    Jinja compares the template's text and Python's version itself; its own version is in the folder's name, and that of
    the code that templates become here (`bench.output.page`).
    """

    def __init__(self, folder: Path | None = None) -> None:
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.folder = (
            folder or Path(root) / "torch-vitals" / f"templates-{CODE}-jinja2-{__version__}"
        )

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read the template's bytecode, if it is there and whole."""
        with suppress(OSError):
            content = (self.folder / bucket.key).read_bytes()
            digest, bytecode = content[:32], content[32:]
            if digest == hashlib.sha256(bytecode).digest():
                bucket.bytecode_from_string(bytecode)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the template's bytecode after its digest, completely or not at all."""
        bytecode = bucket.bytecode_to_string()
        draft = self.folder / f".{bucket.key}.{os.getpid()}"
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(hashlib.sha256(bytecode).digest() + bytecode)
            draft.replace(self.folder / bucket.key)
        with suppress(OSError):
            draft.unlink(missing_ok=True)
