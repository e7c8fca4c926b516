"""Every section of a page, to be looked at: `python tests/bench/look_at_page.py PAGE FOLDER`.

PAGE is a file or an address. At 1440 and 390 px, light and dark, the folder gets a picture of the head, of each
section, and of the first few models opened. What a browser can tell without eyes is printed: text that runs out of its
box, a page that scrolls sideways, links that lead nowhere, headings that skip a level, and text of too little contrast.
"""

import argparse
import base64
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pages import Page, page

WIDTHS = (1440, 390)
TALLEST = 2600
"""Pixels of a section that are pictured."""
OPENED = 2
"""Models and lives that are opened."""
FAULTS = (Path(__file__).parent / "page_faults.js").read_text(encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    url = arguments.page if "://" in arguments.page else Path(arguments.page).resolve().as_uri()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with page() as seen:
        for width in WIDTHS:
            for dark in (False, True):
                look(seen, url, width, arguments.folder, dark=dark)


def look(seen: Page, url: str, width: int, folder: Path, *, dark: bool) -> None:
    """Picture every section, and print what is wrong."""
    seen.open(url, width=width, height=1000, dark=dark)
    # Off the screen nothing is laid out (content-visibility); a picture of all needs all.
    seen.run(
        "(() => { const s = document.createElement('style');"
        " s.textContent = 'main>section,.details{content-visibility:visible!important}';"
        " document.head.append(s); })()"
    )
    seen.run(
        f"[...document.querySelectorAll('details.details')].forEach((d, n) => d.open = n < {OPENED})"
    )
    name = f"{width}-{'dark' if dark else 'light'}"
    picture(seen, "header.top, body > header", folder / f"{name}-00-head.png")
    ids = seen.run(
        "[...document.querySelectorAll('main > section, main > .overview, .details[open]')]"
        ".map((s, n) => s.id || (s.id = 'part-' + n))"
    )
    for number, own in enumerate(ids, start=1):
        picture(seen, f"[id={json.dumps(own)}]", folder / f"{name}-{number:02}-{own[:40]}.png")
    for fault in seen.run(FAULTS):
        print(f"{name}: {fault}")
    for said in seen.said:
        print(f"{name}: the browser said {said[:300]}")


def picture(seen: Page, selector: str, path: Path) -> None:
    """Picture the first element that the selector finds, if it has any extent."""
    box = seen.run(
        f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;"
        " const b = e.getBoundingClientRect(); return [b.y + scrollY, b.height]; })()"
    )
    if not box or not box[1]:
        return
    width = seen.run("document.documentElement.scrollWidth")
    clip = {
        "x": 0, "y": max(0, box[0] - 8), "width": width, "height": min(TALLEST, box[1] + 16), "scale": 1,
    }  # fmt: skip
    answer = seen.call(
        "Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip
    )
    path.write_bytes(base64.b64decode(answer["data"]))


if __name__ == "__main__":
    main()
