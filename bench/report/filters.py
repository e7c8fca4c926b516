"""Template filters for texts of the report: truncated, marked up, linked if that is safe."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from bench.output.text import shortened
from bench.summary.elements import Parity


def web_link(url: str) -> str:
    """Return the address if it is a web address, else an empty string, so that no other link is followed."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def tail(text: str, limit: int) -> str:
    """Return the end of the text, preceded by the amount left out."""
    return (
        text
        if len(text) <= limit
        else f"… {len(text) - limit:,} characters left out …\n{text[-limit:]}"
    )


def shape_keys(parity: Parity) -> tuple[str, ...]:
    """Return the columns of the parity table: every key with a value for at least one shape."""
    keys = dict.fromkeys(key for shape in parity.shapes for key in shape)
    return tuple(k for k in keys if any(s.get(k) not in (None, "") for s in parity.shapes))


def with_code(text: str) -> Markup:
    """Return the escaped text with the parts between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def sentence(text: str) -> str:
    """Return the text with a capital first letter, unless it is a name such as mIoU."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def when(moment: str) -> str:
    """Return `2026-11-23 18:04 UTC` for an ISO time, or the text itself."""
    found: Any = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*?(Z|\+00:00)?", moment)
    return f"{found[1]} {found[2]}{' UTC' if found[3] else ''}" if found else shortened(moment, 60)
