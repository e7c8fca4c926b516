"""How long a large report takes: `python tests/speed/report.py [--cells 2000] [--keep FILE]`.

Builds and writes the report of a made-up run, and, where there is a Chromium, opens it and scrolls it from top to
bottom. Goals, on a machine with nothing else to do: 5 s, 15 MB.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from html import unescape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from pages import page
from report_runs import MODELS, write_run

from bench.netron.errors import BrowserMissing
from bench.netron.server import Answer, Server
from bench.report.html import write_html
from bench.summary.build import build_report
from suite.runs.load import load_run

SECONDS, MEGABYTES = 5.0, 15.0
SCROLL = """(async () => {
  const frames = [], height = document.documentElement.scrollHeight;
  let last = performance.now();
  for (let step = 0; step <= 60; step++) {
    scrollTo({ top: height * step / 60, behavior: "instant" });
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  frames.sort((a, b) => a - b);
  return [frames[30], frames[frames.length - 1]];
})()"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "20261124-000000-large")
        models = tuple(
            (f"{MODELS[n % len(MODELS)][0]}_{n}", *MODELS[n % len(MODELS)][1:])
            for n in range(arguments.cells // 2)
        )
        write_run(folder, models=models)
        began = time.perf_counter()
        report = build_report(load_run(folder))
        built = time.perf_counter()
        write_html(report, folder / "report.html")
        done = time.perf_counter()
        text = (folder / "report.html").read_text(encoding="utf-8")
        size = len(text.encode()) / 1e6
        cells = sum(len(row.lanes) for row in report.rows)
        print(
            f"{cells:,} cells: read and built {built - began:.2f} s, written {done - built:.2f} s,"
        )
        print(
            f"together {done - began:.2f} s (goal {SECONDS:g}), {size:.1f} MB (goal {MEGABYTES:g})"
        )
        try:
            look(text)
        except BrowserMissing as error:
            print(f"not looked at: {error}")
        if arguments.keep:
            arguments.keep.write_text(text, encoding="utf-8")
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        sys.exit(done - began > SECONDS or size > MEGABYTES)


def look(text: str) -> None:
    """Seconds until it is loaded, and milliseconds of a frame while it is scrolled."""
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
    answer = Answer(kind="text/html; charset=utf-8", body=text.encode(), policy=policy)
    with page() as seen, Server({"report.html": answer}) as server:
        began = time.perf_counter()
        seen.open(f"{server.address}report.html")
        loaded = time.perf_counter() - began
        middle, worst = seen.run(SCROLL)
        print(
            f"loaded {loaded:.2f} s, a frame while scrolling {middle:.0f} ms, the worst {worst:.0f} ms"
        )


if __name__ == "__main__":
    main()
