"""`vitals bench`, `vitals suite` and `vitals gate`: pytest on the tests of this package, from any folder.

Nothing of the folder that it is called in takes part: no conftest.py, no pytest settings, no package called `bench`.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

PLUGINS: Final = ("suite.pytest_plugin", "bench.pytest_plugin")
FOLDERS: Final = {"bench": "bench.pytest_plugin", "suite": "suite.pytest_plugin"}
"""What is run -> a module that lies beside its tests."""

SETTINGS: Final = Path(__file__).with_name("pytest.ini")
COMPARISONS: Final = ("--against", "--against-python", "--selftest", "-h", "--help")


@dataclass(frozen=True, slots=True)
class Typed:
    """A pytest plugin that knows what the user typed, for the record of the run."""

    command: str

    def pytest_vitals_command(self, config: pytest.Config) -> str:
        """Return the command line."""
        return self.command


def main(words: Sequence[str], typed: str = "") -> int:
    """Run the tests of `words[0]`, with pytest's options and ours in the rest; return pytest's exit code."""
    what, *arguments = words
    beside = find_spec(
        FOLDERS[what]
    )  # not imported: pytest does that itself, to explain its asserts
    assert beside is not None
    tests = Path(str(beside.origin)).parent
    here = Path.cwd()
    own = [
        str(tests),
        *(option for name in PLUGINS for option in ("-p", name)),
        *("-c", str(SETTINGS), "--rootdir", str(here), "--confcutdir", str(tests)),
        *("-o", f"cache_dir={here / '.vitals' / 'pytest_cache'}"),
        *("--benchmark-storage", f"file://{here / '.vitals' / 'benchmarks'}"),
    ]
    command = shlex.join(["vitals", what, *arguments])
    return int(pytest.main([*own, *arguments], plugins=[Typed(typed or command)]))


def gate(words: Sequence[str]) -> int:
    """Compare with the git ref or folder `words[0]`, or with what `--against-python` or `--selftest` ask for."""
    ref, rest = (words[:1], words[1:]) if words and not words[0].startswith("-") else ([], words)
    if not ref and not any(word.partition("=")[0] in COMPARISONS for word in words):
        print(
            "vitals gate: compare with what? Expected a git ref or a folder, as in `vitals gate main --models-from"
            " models.py`, or --against-python PATH, or --selftest",
            file=sys.stderr,
        )
        return int(pytest.ExitCode.USAGE_ERROR)
    against = ["--against", *ref] if ref else []
    return main(["bench", *against, *rest], shlex.join(["vitals", "gate", *words]))
