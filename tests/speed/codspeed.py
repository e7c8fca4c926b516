"""pytest-codspeed in simulation mode beside our counts: `python tests/speed/codspeed.py GRAPH.onnx ... [--python PY]`.

Its service is not needed: with CODSPEED_ENV set, its plugin switches the counting of a stock callgrind on around each
benchmark, and the counts lie in callgrind's files. Every graph is run by ONNX Runtime on one thread, as a user of the
plugin writes it: once as it is in each of several processes, and with 2% of its instructions added by a loop. Beside it
each process takes our counts of the same call: the median of five stretches of ten passes, after 40 of them.

PY needs pytest-codspeed, onnxruntime and pytest.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.gate.valgrind import find_valgrind  # noqa: E402
from bench.stats import median  # noqa: E402

MORE = 2.0
TESTS = """
import json, os, sys
from itertools import repeat
from pathlib import Path

sys.path.insert(0, {root!r})
import numpy as np
import onnxruntime as ort
import pytest
from bench.instruments.callgrind import CallgrindCounter

GRAPHS, TURNS = json.loads({graphs!r}), json.loads({turns!r})
TYPES = {{"tensor(float)": np.float32, "tensor(int64)": np.int64}}


def call_of(name):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(GRAPHS[name], options)
    shape = lambda extents: [n if isinstance(n, int) else 1 for n in extents]
    feeds = {{i.name: np.ones(shape(i.shape), TYPES[i.type]) for i in session.get_inputs()}}
    turns = TURNS.get(name, 0)

    def call():
        session.run(None, feeds)
        for _ in repeat(None, turns):
            pass

    return call


@pytest.mark.parametrize("name", GRAPHS)
def test_graph(name, benchmark):
    call = call_of(name)
    call()  # as it is usual: the session is warm, and nothing more
    benchmark(call)
    for _ in range(40):
        call()
    counter = CallgrindCounter()
    # The plugin's dumps and ours are numbered together, and its last one is the last there is.
    theirs = Path(os.environ["VITALS_CALLGRIND"]).glob(f"{{os.getpid()}}.*")
    counter._number = max(int(file.suffix[1:]) for file in theirs)

    def count(passes):
        counter.start()
        for _ in range(passes):
            call()
        return counter.stop().total

    empty = count(0)
    found = sorted((count(10) - empty) / 10 for _ in range(5))
    Path({kept!r}, name).write_text(str(found[2]))
"""


def counted(python, graphs, turns):
    """Return graph -> instructions by the plugin and by us, in one fresh process."""
    valgrind = find_valgrind()
    with tempfile.TemporaryDirectory() as place:
        folder, kept = Path(place), Path(place, "kept")
        kept.mkdir()
        text = TESTS.format(
            root=str(ROOT), graphs=json.dumps(graphs), turns=json.dumps(turns), kept=str(kept)
        )
        (folder / "test_graphs.py").write_text(text)
        plugin = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
        done = subprocess.run(
            [*valgrind.prefix(folder), *plugin, f"--rootdir={folder}", "--codspeed", str(folder)],
            cwd=folder,
            env={
                **os.environ,
                **valgrind.variables(folder),
                "CODSPEED_ENV": "1",
                "PYTHONHASHSEED": "0",
                "PYTHONPATH": "",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stdout[-3000:] + done.stderr[-1000:]
            raise SystemExit(f"pytest-codspeed ended with {done.returncode}:\n{said}")
        theirs = {}
        for file in folder.glob("[0-9]*.[0-9]*"):
            said = file.read_text(errors="replace")
            if name := re.search(r"Client Request: .*test_graph\[(.*)\]", said):
                theirs[name[1]] = int(re.search(r"^totals: (\d+)", said, re.MULTILINE)[1])
        return {name: (theirs[name], float((kept / name).read_text())) for name in graphs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("graphs", nargs="+", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--processes", type=int, default=3)
    given = parser.parse_args()
    graphs = {path.stem: str(path.resolve()) for path in given.graphs}
    plain = [counted(given.python, graphs, {}) for _ in range(given.processes)]
    probe = dict.fromkeys(graphs, 1000)
    slope = counted(given.python, graphs, probe)
    turns = {}
    for name in graphs:
        ours = median([one[name][1] for one in plain])
        turns[name] = round(MORE / 100 * ours / ((slope[name][1] - ours) / 1000))
    more = counted(given.python, graphs, turns)
    print("| graph | who | instructions | spread | with +2% |\n|---|---|--:|--:|--:|")
    for name in graphs:
        for number, who in enumerate(("pytest-codspeed", "our witness")):
            found = [one[name][number] for one in plain]
            middle = median(found)
            spread = (max(found) - min(found)) / middle
            print(
                f"| {name} | {who} | {middle:,.0f} | {spread:.3%} | {more[name][number] / middle - 1:+.2%} |"
            )


if __name__ == "__main__":
    main()
