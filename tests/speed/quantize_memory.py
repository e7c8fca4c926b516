"""Peak memory while quantizing graphs, against an older commit: `tests/speed/quantize_memory.py GRAPH.onnx ...`.

Each graph is quantized dynamically by this tree and by the older commit, checked out into a temporary worktree, in
turns, each in a fresh process. A process imports what it needs and lets the kernel forget its peak; what it then
grows by, and its peak in all, are of the function that the stage calls: preparation, quantization, counts and kernels.
Resident memory includes pages of mapped files, which the kernel can drop; the anonymous part, which it cannot, is
sampled beside it. `--stage` opens a session on the float graph when the tree's stage does: the older one before it
quantizes, this one after. `--markdown FILE` writes the table. Goal: 0.6 times the older peak at most.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OLDER = "2c9357a"
SAMPLED = 0.05
"""Seconds between two looks at the anonymous memory of a process."""
HEAD = "graph|MB|peak MB|older|ratio|grown MB|older|ratio|anonymous MB|older|CPU s|older".split("|")


def field(name: str, process: int | str = "self") -> int:
    """A field of a process's status, in bytes; 0 for one that has ended."""
    path = Path(f"/proc/{process}/status")
    if not path.exists():
        return 0
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def child(tree: str, graph: str, when: str) -> None:
    """Quantize the graph with that tree, and print what it took as JSON."""
    sys.path.insert(0, tree)
    import onnx  # noqa: F401
    import onnxruntime
    import onnxruntime.quantization
    import onnxruntime.tools.symbolic_shape_infer

    from suite.lifecycle import Quantization
    from suite.quantization.dynamic import quantize_dynamic_graph
    from suite.quantization.types import U8S8

    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = field("VmRSS")
    session: Any = None
    if when == "before":
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "int8.onnx")
        settings = Quantization(method="dynamic")
        quantize_dynamic_graph(Path(graph), output, settings, types=U8S8)
        size = output.stat().st_size
    cpu = time.process_time() - begin
    if when == "after":
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    peak = field("VmHWM")
    del session
    print(json.dumps({"before": before, "peak": peak, "cpu": cpu, "size": size}))


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """The older commit's files."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "older")
        command = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*command, "add", "--quiet", "--detach", place, commit], check=True)
        try:
            yield place
        finally:
            subprocess.run([*command, "remove", "--force", place], check=True)


def measured(tree: Path, graph: Path, when: str) -> dict[str, float]:
    """What one fresh process took."""
    words = [sys.executable, __file__, "--child", str(tree), str(graph), when]
    anonymous = 0.0
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(words, stdout=output, stderr=errors)
        while process.poll() is None:
            anonymous = max(anonymous, field("RssAnon", process.pid))
            time.sleep(SAMPLED)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{graph.name}: {errors.read().strip()[-600:]}")
        found: dict[str, float] = json.loads(output.read().splitlines()[-1])
    return {**found, "anonymous": anonymous}


def row_of(graph: Path, runs: dict[str, list[dict[str, float]]]) -> list[str]:
    """One line of the table."""

    def middle(tree: str, name: str) -> float:
        return median(run[name] for run in runs[tree])

    def grown(tree: str) -> float:
        return median(run["peak"] - run["before"] for run in runs[tree])

    def mega(value: float) -> str:
        return f"{value / 1e6:.0f}"

    own, older = middle("own", "peak"), middle("older", "peak")
    return [
        graph.stem,
        mega(graph.stat().st_size),
        mega(own),
        mega(older),
        f"{own / older:.2f}",
        mega(grown("own")),
        mega(grown("older")),
        f"{grown('own') / grown('older'):.2f}",
        mega(middle("own", "anonymous")),
        mega(middle("older", "anonymous")),
        f"{middle('own', 'cpu'):.0f}",
        f"{middle('older', 'cpu'):.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graphs", nargs="*", type=Path, metavar="GRAPH.onnx")
    parser.add_argument("--older", default=OLDER)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--stage", action="store_true")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--child", nargs=3)
    given = parser.parse_args()
    if given.child:
        child(*given.child)
        return
    lines = [f"| {' | '.join(HEAD)} |", "|---" + "|--:" * (len(HEAD) - 1) + "|"]
    with worktree(given.older) as older:
        trees = {"own": (ROOT, "after"), "older": (older, "before")}
        for graph in given.graphs:
            runs: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
            for number in range(given.rounds):
                for name in list(trees)[:: -1 if number % 2 else 1]:
                    tree, when = trees[name]
                    runs[name].append(measured(tree, graph, when if given.stage else "never"))
            lines.append(f"| {' | '.join(row_of(graph, runs))} |")
            print("\n".join(lines), flush=True)
    if given.markdown:
        about = f"{platform.machine()}, {platform.system()}; against {given.older}, {given.rounds} rounds in turns"
        given.markdown.write_text(f"{about}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
