"""`python -m vitals`: the command `vitals` of one certain interpreter."""

# Plain os calls: this runs before anything may be imported from the current folder.
# ruff: noqa: PTH100

from __future__ import annotations

import os
import sys

# A file such as random.py in the current folder must not be imported in place of the library's:
# the package knows its own folder by now.
_here = os.getcwd()
sys.path[:] = [path for path in sys.path if path and os.path.abspath(path) != _here]

from vitals.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
