"""The catalogue's graphs: pictures and MACs: `python tests/speed/graphs.py [FILE ...] [--size base] [--models NAMES]`.

Exports each catalogue model at that size, counts the multiply-accumulates of its graph and, with PyTorch's counter, of
its module, for the same batch; then draws each graph, through one browser that all share. Prints nodes, seconds, CPU
seconds of the browser, bytes of the SVG, and both counts; `--markdown FILE` writes them with date and versions. Files
of one's own are only drawn. The first picture pays for the browser's start.
Goals: 2 s or less a picture under 500 nodes, on a machine with nothing else to do; counts within 1%.
"""

import argparse
import fnmatch
import os
import platform
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.netron.errors import PictureError
from bench.netron.studio import Studio
from suite import units
from suite.catalog import builtin_specs
from suite.cell import Cell
from suite.data.sources import sources_in
from suite.worker.client import Launcher
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1] / "bench")  # for `graph_jobs`
GOAL, FEW, CLOSE = 2.0, 500, 0.01
TICKS = os.sysconf("SC_CLK_TCK")
HEAD = ("model", "nodes", "drawn", "s", "CPU s", "SVG", "MACs of the graph", "of the module", "off")


def exported(folder: Path, size: str, pattern: str):
    """(file, facts of both counts) of each model that exports, one after the other."""
    sources = {kind: source.as_dict() for kind, source in sources_in(None).items()}
    launcher = Launcher(preload=["suite.stages.export.preload"])
    for spec in builtin_specs():
        if not any(fnmatch.fnmatch(spec.name, one) for one in pattern.split(",")):
            continue
        path = folder / f"{spec.name}.onnx"
        options = {
            "models_from": "", "sources": sources, "seed": 0, "threads": 0, "weights": "random",
            "run_dir": str(folder), "output": str(path), "cache_dir": "",
        }  # fmt: skip
        cell = Cell(model=spec.name, size=size, backend="onnxruntime")
        facts = None
        for runner in ("suite.stages.export.run:run", "graph_jobs:macs"):
            job = CellJob(
                runner=runner, cell=cell, options=JobOptions.from_dict(options), deadline=1200.0
            )
            answer = launcher.run(job)
            if answer.failure:
                print(f"{spec.name}: {answer.failure.message[:200]}", file=sys.stderr)
                break
            facts = answer.result["facts"] if runner == "graph_jobs:macs" else {}
        if facts is not None:  # a graph that was not counted is drawn all the same
            yield path, facts
    launcher.close()


def cpu_seconds(studio: Studio) -> float:
    """Of the browser's processes; 0 before its start."""
    if studio._browser is None:
        return 0.0
    group, total = studio._browser.pid, 0
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if fields and int(fields[2]) == group:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def row_of(studio: Studio, path: Path, facts, arguments) -> dict[str, object]:
    """Draws it; the numbers of its row."""
    started, used = time.monotonic(), cpu_seconds(studio)
    row: dict[str, object] = {"model": path.stem, **facts}
    try:
        taken = studio.take(path, most_nodes=arguments.most_nodes, deadline=arguments.deadline)
    except PictureError as error:
        print(f"{path.stem}: {str(error)[:200]}", file=sys.stderr)
        return {**row, "seconds": time.monotonic() - started, "drawn": "not drawn"}
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        (arguments.keep / f"{path.stem}.svg").write_text(taken.svg, encoding="utf-8")
    return {
        **row,
        "nodes": taken.num_nodes,
        "drawn": "blocks" if taken.is_summary else "whole",
        "seconds": taken.seconds,
        "cpu": cpu_seconds(studio) - used,
        "bytes": len(taken.svg),
    }


def off(row) -> float | None:
    """Our count over PyTorch's, minus 1."""
    return row["graph"] / row["module"] - 1 if row.get("module") else None


def cells_of(row) -> list[str]:
    """The row as text."""
    share = off(row)
    return [
        row["model"],
        f"{row['nodes']:,}" if "nodes" in row else "",
        row["drawn"],
        f"{row['seconds']:.2f}",
        f"{row['cpu']:.2f}" if "cpu" in row else "",
        units.num_bytes(row["bytes"]) if "bytes" in row else "",
        units.scaled_count(row["graph"], "") if "graph" in row else "",
        units.scaled_count(row["module"], "") if "module" in row else "",
        "" if share is None else f"{share:+.2%}",
    ]


def sentences(rows) -> list[str]:
    """Whether the goals are met."""
    slow = [r["model"] for r in rows if r.get("nodes", FEW) < FEW and r["seconds"] > GOAL]
    wrong = [
        r["model"] for r in rows if "module" in r and (s := off(r)) is not None and abs(s) > CLOSE
    ]
    undrawn = [r["model"] for r in rows if r["drawn"] == "not drawn"]
    counted = sum("module" in r for r in rows)
    return [
        f"{len(rows) - len(undrawn)} of {len(rows)} drawn; not: {', '.join(undrawn) or 'none'}.",
        f"Over {GOAL:g} s under {FEW} nodes: {', '.join(slow) or 'none'}; load"
        f" {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.",
        f"Counts of {counted} models; over 1% off: {', '.join(wrong) or 'none'}.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--models", default="*", help="names or globs, with commas between")
    parser.add_argument("--most-nodes", type=int, default=5000, help="more are drawn as blocks")
    parser.add_argument("--deadline", type=float, default=300.0, help="seconds for one picture")
    parser.add_argument("--keep", type=Path, help="write the pictures there")
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name, Studio() as studio:
        folder = Path(name)
        found = (
            ((path, {}) for path in arguments.files)
            if arguments.files
            else exported(folder, arguments.size, arguments.models)
        )
        print(" | ".join(HEAD))
        for path, facts in found:
            rows.append(row_of(studio, path, facts, arguments))
            print(" | ".join(cells_of(rows[-1])), flush=True)
            if path.is_relative_to(folder):
                path.unlink()  # of the base size, all together would fill a disk
    print("\n".join(sentences(rows)))
    if arguments.markdown:
        machine = f"{platform.machine()}, {os.cpu_count()} cores"
        names = ("torch", "onnx", "onnxruntime", "netron", "transformers")
        lines = [
            f"# {date.today():%Y-%m-%d}, graphs of the catalogue at {arguments.size}",
            "",
            f"{machine}; {', '.join(f'{n} {version(n)}' for n in names)}."
            f" Made by `python tests/speed/graphs.py --size {arguments.size}`.",
            "",
            *sentences(rows),
            "",
            f"| {' | '.join(HEAD)} |",
            f"|---|--:|---|{'--:|' * (len(HEAD) - 3)}",
            *(f"| {' | '.join(cells_of(row))} |" for row in rows),
        ]
        arguments.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
