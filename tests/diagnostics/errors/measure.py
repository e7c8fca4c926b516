"""Prints how well the explainer knows the recorded texts: recall and precision by area.

`python tests/diagnostics/errors/measure.py` from the root of the project. A text counts as found
when the finding on top has its code. A row is precise when it comes on top for no text of another
cause; a code further down is counted as a false companion unless the top row folds it under
itself or the text names it as well.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

from diagnostics.explain import explain
from diagnostics.explain.known.catalog import ROWS

FOLDER = Path(__file__).parent


def blocks() -> list[tuple[str, str, str]]:
    """(code, origin, text) of every recorded text."""
    found = []
    for path in sorted(FOLDER.glob("*.txt")):
        for block in re.split(r"^=== ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            head, _, body = block.partition("\n")
            code, _, origin = head.partition(" | ")
            found.append((code.strip(), origin or path.stem, body))
    return found


def main() -> int:
    """Print one line per area, the total, and every text that is not explained by its row."""
    area = {row.code: row.area for row in ROWS}
    texts: Counter[str] = Counter()
    right: Counter[str] = Counter()
    claimed: Counter[str] = Counter()
    companions: Counter[str] = Counter()
    wrong = []
    for code, origin, text in blocks():
        found = explain(text)
        texts[area[code]] += 1
        if not found:
            wrong.append(f"{code} ({origin}): nothing")
            continue
        top = found[0]
        claimed[area.get(top.code, "")] += 1
        if top.code == code:
            right[area[code]] += 1
        else:
            wrong.append(f"{code} ({origin}): {top.code}")
        companions[area[code]] += sum(item.code not in top.explains for item in found[1:])
    print(f"{'area':22} {'texts':>6} {'recall':>8} {'precision':>10} {'beside':>7}")
    for name in dict.fromkeys(row.area for row in ROWS):
        if texts[name]:
            print(_line(name, texts[name], right[name], claimed[name], companions[name]))
    print(_line("all", texts.total(), right.total(), claimed.total(), companions.total()))
    print(f"{len(ROWS)} rows, {sum(len(row.patterns) for row in ROWS)} patterns")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


def _line(name: str, texts: int, right: int, claimed: int, beside: int) -> str:
    precision = f"{right / claimed:10.1%}" if claimed else f"{'-':>10}"
    return f"{name:22} {texts:6} {right / texts:8.1%} {precision} {beside:7}"


if __name__ == "__main__":
    sys.exit(main())
