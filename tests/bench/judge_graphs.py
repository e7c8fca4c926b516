"""Judge counts on files: `python tests/bench/judge_graphs.py FILE.onnx | WHEEL.whl | FOLDER ... [--markdown FILE]`.

Each graph is run once on random inputs, at the sizes at which it runs; what was multiplied then is counted from the
arrays (`graph_judge`) and held against the static count at the same sizes. A row is `equal`, `open` with the reasons
for what is not counted (the rest must not be more than the run's), `not run`, or `WRONG`. Ends with 1 when one is
wrong.
"""

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).parent)]

import onnx  # noqa: E402
from graph_judge import by_reference, by_runtime  # noqa: E402

from bench.graph_analysis.running import working_feeds  # noqa: E402
from bench.graph_analysis.work import fed_sizes  # noqa: E402
from bench.onnx_graph.read import read  # noqa: E402

CONTROL = {"If", "Loop", "Scan"}
HEAD = ("file", "nodes", "sizes", "static", "run", "verdict")


def judged(path):
    """The row of one file."""
    graph = read(path)
    try:
        feeds = working_feeds(path)
        sizes = fed_sizes(graph, feeds)
        graph = read(path, sizes=sizes)
        model = onnx.load(path)
        has_control = any(node.op_type in CONTROL for node in model.graph.node)
        run = (by_reference if has_control or model.functions else by_runtime)(model, feeds)
    except Exception as error:
        why = str(error).strip().splitlines() or [type(error).__name__]
        return [str(len(graph.nodes)), "", f"{graph.macs:,}", "", f"not run: {why[0][:80]}"]
    shown = ", ".join(f"{name}={size}" for name, size in graph.sizes[:4])
    if graph.macs == run and not graph.num_uncounted:
        verdict = "equal"
    elif graph.num_choices and graph.macs >= run:
        verdict = f"equal or more: the larger branch of {graph.num_choices} Ifs"
    elif graph.num_uncounted and graph.macs <= run:
        verdict = f"{graph.num_uncounted} open: {'; '.join(graph.uncounted[:2])}"
    else:
        verdict = "WRONG"
    return [f"{len(graph.nodes):,}", shown, f"{graph.macs:,}", f"{run:,}", verdict]


def graphs_in(paths, scratch):
    """(name, file) of every graph; those in wheels are unpacked."""
    for path in paths:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                for name in wheel.namelist():
                    if name.endswith(".onnx"):
                        version = "-".join(path.stem.split("-")[:2])
                        yield f"{version}: {Path(name).name}", Path(wheel.extract(name, scratch))
        elif path.is_dir():
            yield from ((one.name, one) for one in sorted(path.rglob("*.onnx")))
        else:
            yield path.name, path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    rows = []
    print(" | ".join(HEAD))
    with tempfile.TemporaryDirectory() as scratch:
        for name, path in graphs_in(arguments.paths, scratch):
            rows.append([name, *judged(path)])
            print(" | ".join(rows[-1]), flush=True)
    if arguments.markdown:
        lines = [f"| {' | '.join(HEAD)} |", "|---|--:|---|--:|--:|---|"]
        lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
        arguments.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    wrong = [row[0] for row in rows if row[-1] == "WRONG"]
    print(f"{len(rows)} files, {sum(row[-1] == 'equal' for row in rows)} equal, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
