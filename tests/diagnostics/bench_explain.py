"""Prints how long the text, line and file tools take, beside an empty Python process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from diagnostics.explain import explain
from diagnostics.explain.known.catalog import ROWS
from diagnostics.lint.cli import lint
from diagnostics.model.inspection import inspect

ROUNDS = 7
TUTORIAL = "pip install torch==2.0.0 torchvision==0.10.0 torchaudio==0.10.0"
LINE = "step {} loss: 0.{} lr 1e-3 GPU memory 13.2 GiB throughput 812 samples/s\n"
ERROR = "IndexError: index out of range in self\n"


def seconds(action: Callable[[], object]) -> tuple[float, float]:
    """(median, slowest) of ROUNDS calls after one warm-up."""
    action()
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), max(taken)


def process(*arguments: str) -> Callable[[], object]:
    """A whole Python process, from its start to its end."""
    command = [sys.executable, *arguments]
    return lambda: subprocess.run(command, capture_output=True, check=False, timeout=60)


def large_model(folder: Path) -> Path:
    """A sparse ONNX file of 1 GiB: one tensor, no real data."""
    size = 2**30
    length = bytes(((size >> shift) & 0x7F) | 0x80 for shift in (0, 7, 14, 21)) + bytes(
        [size >> 28]
    )
    outer_size = size + 6
    outer = bytes(((outer_size >> s) & 0x7F) | 0x80 for s in (0, 7, 14, 21)) + b"\x04"
    graph_size = outer_size + 6
    graph = bytes(((graph_size >> s) & 0x7F) | 0x80 for s in (0, 7, 14, 21)) + b"\x04"
    head = b"\x08\x08\x42\x02\x10\x11\x3a" + graph + b"\x2a" + outer + b"\x4a" + length
    path = folder / "large.onnx"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    return path


def main() -> int:
    """Prints one line per measurement: median and slowest, in milliseconds."""
    long = "".join(LINE.format(i, i % 997) for i in range(145_000)) + ERROR
    with tempfile.TemporaryDirectory() as name:
        model = large_model(Path(name))
        log = Path(name) / "train.log"
        log.write_text(long)
        table: list[tuple[str, Callable[[], object]]] = [
            ("an empty Python process", process("-c", "pass")),
            ("explain, one traceback", lambda: explain(ERROR)),
            (f"explain, a log of {len(long) / 1e6:.0f} MB", lambda: explain(long)),
            ("explain, that log, as a process", process("-m", "diagnostics", "explain", str(log))),
            ("lint, one command", lambda: lint(TUTORIAL, (3, 11))),
            ("lint, as a process", process("-m", "diagnostics", "lint", TUTORIAL)),
            ("model, 1 GiB", lambda: inspect(model, runtime="1.17.0")),
            ("model, 1 GiB, as a process", process("-m", "diagnostics", "model", str(model))),
        ]
        print(f"{len(ROWS)} rows, {sum(len(row.patterns) for row in ROWS)} patterns")
        for title, action in table:
            median, slowest = seconds(action)
            print(f"{title:34} {median * 1e3:9.1f} ms   slowest {slowest * 1e3:9.1f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
