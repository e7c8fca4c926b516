"""Comparing two graphs, against an older commit: `python tests/speed/compare_graphs.py [--older COMMIT] [--rounds N]`.

Makes graphs of 100 MB whose weights are floats in a few or in many tensors, blocks of 4 bits, or Constant nodes, and
compares them with `python -m bench graphs` of this tree and of the older commit, which is checked out into a temporary
worktree, in turns. Prints medians of the CPU seconds and of the peak memory (resident set), their ratios, and the peak
over the bytes of one file. `--review GIGABYTES` looks at one graph with external data in `python -m bench review`
instead. `--markdown FILE` writes the table.
Goals: peak memory up to 1.3 times the file, time up to 0.7 times the older commit; a review up to 1.5 times its graph.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
OLDER = "2c9357a"
SIZE = 100_000_000
HEAD = ("graphs", "CPU s", "older CPU s", "ratio", "peak MB", "older MB", "peak / file")


def make(path, **options):
    """Write a graph in a process of its own: what a process started from a large one has used counts as its own."""
    code = "import sys, compare_graphs; compare_graphs.write(sys.argv)"
    command = [sys.executable, "-c", code, str(path), json.dumps(options)]
    subprocess.run(command, check=True, cwd=Path(__file__).parent)


def write(arguments):
    """Write the graph that `make` asks for."""
    import onnx

    path, options = Path(arguments[1]), json.loads(arguments[2])
    beside = options.pop("beside", "")
    rest = (
        {"save_as_external_data": True, "location": beside, "size_threshold": 1024}
        if beside
        else {}
    )
    onnx.save(chain(**options), path, **rest)


def chain(num_layers, width, seed, *, change=1.0, as_constants=False, bits=0):
    """A chain of matrix products of `num_layers` square weights; `change`: the share of them that `seed` changes."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    nodes, stored, before = [], [], "x"
    for number in range(num_layers):
        dice = np.random.default_rng([number, seed if number < change * num_layers else 0])
        name, after = f"w{number}", f"v{number}"
        if bits:
            codes = dice.integers(0, 256, (width, width // 32, 16), np.uint8)
            scales = dice.random(width * (width // 32), np.float32)
            stored += [
                numpy_helper.from_array(codes, name),
                numpy_helper.from_array(scales, f"{name}_scales"),
            ]
            nodes.append(
                helper.make_node(
                    "MatMulNBits",
                    [before, name, f"{name}_scales"],
                    [after],
                    name=f"m{number}",
                    domain="com.microsoft",
                    K=width,
                    N=width,
                    bits=4,
                    block_size=32,
                )
            )
        else:
            tensor = numpy_helper.from_array(dice.random((width, width), np.float32), name)
            if as_constants:
                nodes.append(helper.make_node("Constant", [], [name], value=tensor))
            else:
                stored.append(tensor)
            nodes.append(helper.make_node("MatMul", [before, name], [after], name=f"m{number}"))
        before = after
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "chain",
        [value("x", TensorProto.FLOAT, ["batch", width])],
        [value(before, TensorProto.FLOAT, ["batch", width])],
        stored,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


KINDS = {
    "100 MB in 6 tensors, all changed": {"num_layers": 6, "width": 2041},
    "100 MB in 6 tensors, the same": {"num_layers": 6, "width": 2041, "change": 0.0},
    "100 MB in 100 tensors, half changed": {"num_layers": 100, "width": 500, "change": 0.5},
    "100 MB in 1,600 tensors, all changed": {"num_layers": 1600, "width": 125},
    "100 MB in Constant nodes, all changed": {
        "num_layers": 24,
        "width": 1020,
        "as_constants": True,
    },
    "100 MB in blocks of 4 bits, all changed": {"num_layers": 40, "width": 2048, "bits": 4},
}


def measured(tree, command):
    """(CPU seconds, bytes of the peak resident set) of one run in that tree."""
    env = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, command)],
        cwd=tree,
        env=env,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench {command[0]} of {tree} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


@contextmanager
def worktree(commit):
    """The tree of that commit in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "older")
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run(
            [*git, "add", "--detach", str(folder), commit], check=True, capture_output=True
        )
        try:
            yield folder
        finally:
            subprocess.run(
                [*git, "remove", "--force", str(folder)], check=True, capture_output=True
            )


def compared(rounds, older):
    """A row for each kind of graph."""
    with tempfile.TemporaryDirectory() as name, worktree(older) as tree:
        for kind, options in KINDS.items():
            paths = [Path(name, f"{side}.onnx") for side in "ab"]
            for seed, path in enumerate(paths):
                make(path, seed=seed, **options)
            size = paths[0].stat().st_size
            command = ["graphs", *paths, "--format", "json", "--out", Path(name, "out.json")]
            mine, theirs = [], []
            for _ in range(rounds):
                theirs.append(measured(tree, command))
                mine.append(measured(ROOT, command))
            (s, peak), (old_s, old_peak) = (
                [median(column) for column in zip(*runs, strict=True)] for runs in (mine, theirs)
            )
            yield [
                kind,
                f"{s:.2f}",
                f"{old_s:.2f}",
                f"{s / old_s:.2f}",
                f"{peak / 1e6:.0f}",
                f"{old_peak / 1e6:.0f}",
                f"{peak / size:.2f}",
            ]


def reviewed(gigabytes):
    """The peak of all processes of a review of one graph with external data, in turns of 50 ms."""
    with tempfile.TemporaryDirectory() as name:
        path, width = Path(name, "big.onnx"), 4096
        num_layers = round(gigabytes * 1e9 / (4 * width * width))
        make(path, num_layers=num_layers, width=width, seed=0, beside="big.data")
        size = path.stat().st_size + path.with_name("big.data").stat().st_size
        command = [
            sys.executable,
            "-m",
            "bench",
            "review",
            str(path),
            "--bundle",
            str(Path(name, "out")),
        ]
        start, peak = time.perf_counter(), 0
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        while process.poll() is None:
            peak = max(peak, sum(map(resident, family(process.pid))))
            time.sleep(0.05)
        return [
            f"review of {size / 1e9:.2f} GB with external data",
            f"{time.perf_counter() - start:.1f}",
            "",
            "",
            f"{peak / 1e6:.0f}",
            "",
            f"{peak / size:.2f}",
        ]


def family(pid):
    """The process and all below it."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in below for one in family(int(child)))]


def resident(pid):
    """Bytes of memory of the process, of shared pages its part."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(
        (int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--older", default=OLDER)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--review", type=float, metavar="GIGABYTES")
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    rows = []
    print(" | ".join(HEAD), flush=True)
    found = (
        [reviewed(arguments.review)]
        if arguments.review
        else compared(arguments.rounds, arguments.older)
    )
    for row in found:
        rows.append(row)
        print(" | ".join(row), flush=True)
    if arguments.markdown:
        lines = [
            f"Against {arguments.older}, {platform.machine()}, {os.cpu_count()} cores; medians of {arguments.rounds}.",
            "",
            f"| {' | '.join(HEAD)} |",
            f"|---|{'--:|' * (len(HEAD) - 1)}",
            *(f"| {' | '.join(r)} |" for r in rows),
        ]
        arguments.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
