"""The pictures of docs/ taken anew: `python tests/bench/take_screenshots.py SUITE_RUN MODEL [BENCH_RUN]`.

SUITE_RUN is the folder of a run of `pytest suite`, for the pictures of the review; BENCH_RUN of one of `pytest bench`,
for that of the report, which `python -m bench report` has written there.
"""

import argparse
import base64
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pages import Page, page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("model")
    parser.add_argument("bench", type=Path, nargs="?")
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "bench", "review", str(arguments.run), "--no-browse"]
    served = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        address = served.stdout.readline().split()[1]
        with page() as seen:
            take(seen, address, arguments.model)
            if arguments.bench:
                seen.open((arguments.bench.resolve() / "report.html").as_uri(), height=1000)
                seen.picture(DOCS / "report.png")
    finally:
        served.terminate()
        served.wait()


def take(seen: Page, address: str, model: str) -> None:
    """Four pictures: the index, a node in Netron, three states side by side, the weights by layer."""
    seen.open(f"{address}index.html", height=820)
    seen.picture(DOCS / "review.png")
    room = (
        "[...document.querySelectorAll('.room')]"
        f".find(r => r.querySelector('bdi').textContent === '{model}')"
    )
    links = seen.run(f"[...{room}.querySelectorAll('.open')].map(a => a.getAttribute('href'))")
    compare = seen.run(f"[...{room}.querySelectorAll('.beside a')].at(-1).getAttribute('href')")
    weights = seen.run(f"{room}.querySelector('.roomhead a').getAttribute('href')")

    seen.open(f"{address}{links[min(2, len(links) - 1)]}", height=820)
    seen.wait("document.body.dataset.attached === 'yes'")
    header = (
        "[...document.querySelectorAll('#nodes > g')]"
        ".find(g => /^(Conv|Gemm|MatMul)/.test(g.textContent)).querySelector('.node-item-type')"
    )
    seen.run(f"{header}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
    seen.wait("document.getElementById('sidebar').innerText.includes('METRICS')")
    title = "e => e.childElementCount === 0 && e.textContent.toLowerCase() === 'metrics'"
    seen.run(f"[...document.querySelectorAll('#sidebar *')].find({title}).scrollIntoView()")
    time.sleep(1.0)
    seen.picture(DOCS / "review-netron.png")

    seen.open(f"{address}{compare}", width=1400, height=900)
    ready = "f => f.contentDocument && f.contentDocument.body.dataset.attached === 'yes'"
    seen.wait(f"[...document.querySelectorAll('iframe')].every({ready})")
    time.sleep(1.0)
    seen.picture(DOCS / "review-compare.png")

    seen.open(f"{address}{weights}", height=1000)
    crop(seen, "section[aria-label=Weights]", DOCS / "report-weights.png", most=760)


def crop(seen: Page, selector: str, path: Path, *, most: int) -> None:
    """The element alone, its top `most` pixels."""
    seen.run(f"document.querySelector('{selector}').scrollIntoView()")
    time.sleep(0.5)
    x, y, width, height = seen.run(
        f"(() => {{ const b = document.querySelector('{selector}').getBoundingClientRect();"
        " return [b.x, b.y + scrollY, b.width, b.height]; })()"
    )
    box = {"x": x - 20, "y": y, "width": width + 40, "height": min(height, most), "scale": 1}
    answer = seen.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=box)
    path.write_bytes(base64.b64decode(answer["data"]))


if __name__ == "__main__":
    main()
