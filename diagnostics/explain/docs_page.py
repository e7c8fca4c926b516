"""The page of the documentation that lists every known message."""

from __future__ import annotations

import re

from diagnostics.explain.known.catalog import ROWS
from diagnostics.explain.row import Row, needle_of
from diagnostics.explain.wording import sentence

INTRODUCTION = """# Explain, run, lint, model

Four tools beside the doctor. None imports torch, none needs a network, all take `--json` (a
document with `schema` and `findings`) and `--strict` (warnings count as errors). Exit codes:
0 nothing wrong, 1 errors, 2 the command line cannot be understood.

- `python -m diagnostics explain FILE` (or `-` for standard input) explains the errors in a log or
  traceback: the root cause first, what follows from it folded under it. A traceback that no row
  knows is an error as well: its exception, package, version and the innermost frame of your own
  code are named, with the known messages that share words with it. Commands are those of the
  installer that fills the environment of `--python` (pip, uv, poetry, conda) and keep its torch.
  `--json` leaves out users, hosts, credentials and signatures; `--no-redact` keeps them.
- `python -m diagnostics run -- COMMAND` runs a command, passes its output on, and explains it when
  it fails. The exit code is the command's own; 128 + n when signal n ended it.
- `python -m diagnostics lint "pip install torch==2.0.0 torchvision==0.10.0"` (or a
  `requirements.txt` or `pyproject.toml`) names versions that cannot be installed together,
  variants that were never built and Python versions without wheels, and prints the corrected
  line. `--python-version 3.12` judges for another Python. Versions newer than the dated table are
  reported as unknown, never as wrong.
- `python -m diagnostics model FILE` tells from the bytes of an `.onnx`, `.pt2`, `.pt` or
  `.safetensors` file why Netron or ONNX Runtime cannot load it. Tensor data are skipped.

A message that is not explained, or explained wrongly, is a bug: send its text. A new row is one
record in `diagnostics/explain/known/` and one text in `tests/diagnostics/errors/`.
`python tests/diagnostics/errors/measure.py` prints recall and precision over all of these texts.

## Known messages

Made by `python -m diagnostics.explain.docs_page > docs/explain.md`.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION]
    for area in dict.fromkeys(row.area for row in ROWS):
        parts.append(f"\n### {area}\n\n| code | matched text | meaning |\n|---|---|---|\n")
        parts += [_line(row) for row in ROWS if row.area == area]
    return "".join(parts)


def _line(row: Row) -> str:
    text = needle_of(row.patterns[0]).strip().replace("|", "\\|").replace("`", "'")
    values = dict.fromkeys(re.findall(r"\{(\w+)\}", row.summary), "…")
    summary = sentence(row.summary, values).replace("|", "\\|")
    return f"| `{row.code}` | `{text}` | {summary} |\n"


if __name__ == "__main__":
    print(page(), end="")
