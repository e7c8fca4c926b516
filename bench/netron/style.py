"""Netron's style sheet, restricted to one class, so that it styles only pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

CLASS: Final = "netron-picture"
TONED: Final = "toned"
"""Class of a picture with its own colours, which override Netron's."""

_UNUSED: Final = re.compile(r":hover|\.select|-select|-hover|keyframes|edge-paths-hit")
_IDLE: Final = re.compile(r"(?:user-select|cursor|pointer-events|text-rendering)\s*:[^;]*;?\s*")
"""Declarations that only matter on Netron's page."""
_TONES: Final = (
    f".{CLASS}.{TONED} .node-item-type path{{fill:#dadce0}}"
    f".{CLASS}.{TONED} .node-item-type text{{fill:#4a4e55}}"
)
_DARK_TONES: Final = (
    f".{CLASS}.{TONED} .node-item-type path{{fill:#34383e}}"
    f".{CLASS}.{TONED} .node-item-type text{{fill:#a9aeb6}}"
)
_PAPER: Final = f".{CLASS} .paper{{fill:#fff}}"
_DARK_PAPER: Final = f".{CLASS} .paper{{fill:#1e1e1e}}"

Rules = Sequence[tuple[str, str]]
"""(selector, declarations)."""


def style_of(rules: Mapping[str, Rules], arrow: str) -> str:
    """Return the text of a `style` element from Netron's light and dark rules; `arrow` is the id of arrow heads."""
    light = "".join(_scoped(rules.get("light", ()), arrow))
    dark = "".join(_scoped(rules.get("dark", ()), arrow))
    return (
        f"{light}{_TONES}{_PAPER}"
        f"@media (prefers-color-scheme:dark){{{dark}{_DARK_TONES}{_DARK_PAPER}}}"
    )


def _scoped(rules: Rules, arrow: str) -> list[str]:
    found = []
    for selector, declarations in rules:
        parts = [p.strip() for p in selector.split(",") if not _UNUSED.search(p)]
        kept = _IDLE.sub("", declarations).strip().rstrip(";")
        if not parts or not kept or "<" in kept or "<" in selector:
            continue
        kept = kept.replace("arrowhead", arrow).replace('"', "'")
        # Every picture gets new ids, so rules by id become rules by class here.
        selectors = ",".join(f".{CLASS} {p.replace('#', '.')}" for p in parts)
        found.append(f"{selectors}{{{kept}}}")
    return found
