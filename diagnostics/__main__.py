"""`python -m diagnostics`: the doctor on the command line."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH100

from __future__ import annotations

import gc
import os
import sys

# One visit ends before a collection could free anything.
gc.disable()

# A file such as random.py in the current folder must not be imported in place of the library's:
# the package knows its own folder by now.
_here = os.getcwd()
sys.path[:] = [path for path in sys.path if path and os.path.abspath(path) != _here]

from diagnostics.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
