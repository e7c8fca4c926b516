"""How long a picture takes: `python tests/speed/pictures.py [FILE ...] [--size tiny] [--models NAMES]`.

Draws each file, or each catalogue model exported at that size, through one browser that all share, and prints
nodes, seconds, seconds of CPU of the browser, and bytes of the SVG. The first picture pays for the browser's start.
Goal: 2 s or less a model under 500 nodes, on a machine with nothing else to do.
"""

import argparse
import fnmatch
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.netron.studio import Studio
from suite.catalog import builtin_specs
from suite.cell import Cell
from suite.data.sources import sources_in
from suite.worker.client import Launcher
from suite.worker.protocol import Job

GOAL, FEW = 2.0, 500
TICKS = os.sysconf("SC_CLK_TCK")


def exported(folder: Path, size: str, pattern: str) -> list[Path]:
    """One file for each model that exports."""
    sources = {kind: source.as_dict() for kind, source in sources_in(None).items()}
    launcher = Launcher(preload=["suite.stages.export.preload"])
    found = []
    for spec in builtin_specs():
        if not fnmatch.fnmatch(spec.name, pattern):
            continue
        path = folder / f"{spec.name}.onnx"
        options = {
            "models_from": "", "sources": sources, "seed": 0, "threads": 0, "weights": "random",
            "run_dir": str(folder), "output": str(path), "cache_dir": "",
        }  # fmt: skip
        cell = Cell(model=spec.name, size=size, backend="onnxruntime")
        job = Job(runner="suite.stages.export.run:run", cell=cell, options=options, deadline=900.0)
        answer = launcher.run(job)
        if answer.failure:
            print(f"{spec.name}: not exported: {answer.failure.message[:100]}", file=sys.stderr)
        else:
            found.append(path)
    launcher.close()
    return found


def cpu_seconds(group: int) -> float:
    """Of all processes of the group."""
    total = 0
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if fields and int(fields[2]) == group:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--models", default="*")
    parser.add_argument("--keep", type=Path, help="write the pictures there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Studio() as studio:
        files = arguments.files or exported(Path(folder), arguments.size, arguments.models)
        print(f"{'':26}{'nodes':>7}{'s':>8}{'CPU s':>8}{'SVG kB':>9}")
        slow, before = [], 0.0
        for path in files:
            taken = studio.take(path)
            used = cpu_seconds(studio._browser.pid)
            print(
                f"{path.stem:26}{taken.num_nodes:7,}{taken.seconds:8.2f}{used - before:8.2f}"
                f"{len(taken.svg) / 1000:9,.0f}{'  blocks' if taken.is_summary else ''}",
                flush=True,
            )
            before = used
            if taken.num_nodes < FEW and taken.seconds > GOAL:
                slow.append(path.stem)
            if arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{path.stem}.svg").write_text(taken.svg, encoding="utf-8")
        load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        print(f"over {GOAL:g} s under {FEW} nodes: {', '.join(slow) or 'none'}; {load}")


if __name__ == "__main__":
    main()
