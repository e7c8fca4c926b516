"""Parts of the README and docs on stages, variants, backends and devices, generated from their rows.

`python -m suite.docs_page` in the root of the repository rewrites the parts named in PAGES.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from suite.axes import (
    AUTO,
    BACKENDS,
    BACKENDS_OFFERED,
    DEFAULT_BACKENDS,
    DEVICE_FORMS,
    DTYPES,
    FOUNDATIONS,
    LIFE,
    MEASURED,
    ORIGINAL,
    STAGE_ROWS,
    STAGES,
    VARIANTS,
    Variant,
)


def render_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, with a final newline."""
    lines = [_line(heads), f"|{'---|' * len(heads)}", *map(_line, rows)]
    return "\n".join(lines) + "\n"


def replace_table(page: str, table: str) -> str:
    """Return the page with the table of the same heading replaced; raise ValueError if the page has none."""
    head = table.partition("\n")[0]
    return _replaced(
        page, rf"^{re.escape(head)}\n(?:\|.*\n)*", table, f"table with the head {head!r}"
    )


def replace_row(page: str, row: Sequence[str]) -> str:
    """Return the page with the table row replaced that begins with the same first word (`--backend`, `backend`).

    Raise ValueError if the page has none.
    """
    word = row[0].strip("`").partition(" ")[0]
    return _replaced(page, rf"^\| `?{re.escape(word)}\b.*\n", _line(row) + "\n", f"row {word!r}")


def stages_table() -> str:
    """Return the table of the stages and their claims."""
    foundations = (
        FOUNDATIONS,
        "known-answer cases per device and dtype: tensors, autograd, losses, optimizers by hand, schedules,"
        " accumulation, autocast",
        "each case's answer within roundings of its dtype",
    )
    rows = ((row.name, row.meaning, row.claims) for row in STAGE_ROWS.values())
    return render_table(("stage", "does", "claims"), (foundations, *rows))


def variants_table() -> str:
    """Return the table of the variants and where they run."""
    rows = (
        (
            f"`{row.name}`",
            row.meaning,
            _listed(row.backends or (BACKENDS if row.is_measured else (row.backend,))),
            _listed(row.devices),
            "yes" if row.is_exported or row.name == ORIGINAL else "",
            "yes" if row.is_measured else "",
        )
        for row in VARIANTS.values()
    )
    heads = ("variant", "what", "backends", "devices", "exported", "measured by `pytest bench`")
    return render_table(heads, rows)


def backends_table() -> str:
    """Return the table of the backends and what they run."""
    rows = (
        (
            f"`{row.name}`",
            row.title,
            row.meaning,
            _listed(row.dtypes),
            "yes" if row.by_default else "",
        )
        for row in BACKENDS.values()
    )
    return render_table(("backend", "title", "runs", "dtypes", "by default"), rows)


def variants_diagram() -> str:
    """Return a block of Markdown with one line per parent and stage, listing the variants made."""
    made: dict[tuple[str, str], list[Variant]] = {}
    for row in sorted(VARIANTS.values(), key=lambda row: STAGES.index(row.stage or STAGES[0])):
        if row.stage:
            made.setdefault((row.parent, row.stage), []).append(row)
    parent_width = max(len(parent) for parent, _ in made)
    stage_width = max(len(stage) for _, stage in made)
    lines = [
        f"{parent:{parent_width}} --{stage:-<{stage_width}}--> {', '.join(row.name for row in rows)}\n"
        for (parent, stage), rows in made.items()
    ]
    return f"```\n{''.join(lines)}```\n"


def options_rows() -> tuple[tuple[str, str, str], ...]:
    """Return (option, what, default) of the options whose values are names of rows."""
    return (
        ("`--backend NAMES`", _listed(BACKENDS_OFFERED), ",".join(DEFAULT_BACKENDS)),
        (
            "`--device`",
            f"{_listed((AUTO, *DEVICE_FORMS))}; a device that is named must be there",
            AUTO,
        ),
        ("`--dtype`", _listed(DTYPES), DTYPES[0]),
        (
            "`--variant`",
            f"state of the models: {_listed(MEASURED)}; made first where it is not there",
            ORIGINAL,
        ),
        ("`--stages`", f"suite: {_listed(LIFE)}", "all"),
    )


def with_options(page: str) -> str:
    """Return the page with those rows of its table of options replaced."""
    for row in options_rows():
        page = replace_row(page, row)
    return page


def with_backends(page: str) -> str:
    """Return the page with the word `backend` and the table of backends replaced."""
    page = replace_row(page, ("backend", f"how a model is executed: {_listed(BACKENDS)}"))
    return replace_table(page, backends_table())


def with_life(page: str) -> str:
    """Return the page with the diagram and the tables of variants and stages replaced."""
    pattern = rf"^```\n{re.escape(ORIGINAL)} .*-->(?:.*\n)+?```\n"
    page = _replaced(page, pattern, variants_diagram(), "diagram of the variants")
    return replace_table(replace_table(page, variants_table()), stages_table())


PAGES: Final[Mapping[str, Callable[[str], str]]] = {
    "README.md": with_options,
    "docs/concepts.md": with_backends,
    "docs/lifecycle.md": with_life,
}
"""Page -> function that rewrites its parts."""


def main() -> int:
    """Rewrite the parts of every page of PAGES below the working directory."""
    for name, rewrite in PAGES.items():
        path = Path(name)
        path.write_text(rewrite(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def _replaced(page: str, pattern: str, text: str, what: str) -> str:
    page, count = re.subn(pattern, lambda _: text, page, count=1, flags=re.MULTILINE)
    if not count:
        raise ValueError(f"the page has no {what}")
    return page


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.exit(main())
