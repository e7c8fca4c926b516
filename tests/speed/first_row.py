"""Seconds from the command to the first row, for a user's own `file.py:build` from an empty folder.

python tests/speed/first_row.py [--rounds 3]

The file is new in each round, so that its description is made; the libraries' files are in the page cache after a first
round that does not count. Goal: 10 s on a quiet machine of two cores.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = """
import torch


def build():
    return torch.nn.Sequential(torch.nn.Linear(8, {width}), torch.nn.ReLU(), torch.nn.Linear({width}, 4))


def example_inputs():
    return torch.randn(16, 8)
"""
ROW = re.compile(r"\[ *1/")
STEPS = (
    ("options read, model described", re.compile("test session starts")),
    ("first row", ROW),
)


def timed(folder: Path, number: int) -> dict[str, float]:
    """Return step -> seconds since the command, of one run in `folder`; raise RuntimeError if it shows no row."""
    (folder / "my_file.py").write_text(FILE.format(width=32 + number), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", str(ROOT / "bench"), "-p", "no:cacheprovider"]
    command += ["--models", "my_file.py:build", "--plan", "quick", "--rootdir", str(ROOT)]
    begin = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        found: dict[str, float] = {}
        lines = []
        for line in process.stdout:
            lines.append(line)
            for name, pattern in STEPS:
                if name not in found and pattern.search(line):
                    found[name] = time.perf_counter() - begin
    if len(found) < len(STEPS):
        raise RuntimeError(f"no first row:\n{''.join(lines[-20:])}")
    return {**found, "all": time.perf_counter() - begin}


def main() -> None:
    """Print one line a round."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="first-row-") as folder:
        for number in range(asked.rounds + 1):
            load = os.getloadavg()[0]
            found = timed(Path(folder), number)
            line = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.items())
            print(f"{'warming' if not number else f'round {number}'}: {line}; load {load:.1f}")


if __name__ == "__main__":
    main()
