"""The installed Netron's files as server answers, with its page edited to open one model and contact nobody."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final

from bench.netron.errors import PictureError
from bench.netron.server import POLICY, Answer

KINDS: Final = {
    ".css": "text/css",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
}
"""Suffix -> content type of the served files of Netron."""
KEPT: Final = (("Cache-Control", "max-age=3600"),)
CONSENT: Final = (("Set-Cookie", "consent=1; Path=/; SameSite=Strict"),)
"""Cookie without which Netron asks ipinfo.io for its location, then shows a dialog."""


def netron_folder() -> Path:
    """Return the folder of the Netron package, found without importing it; raise PictureError if it is missing."""
    found = importlib.util.find_spec("netron")
    if found is None or not found.submodule_search_locations:
        raise PictureError(
            "the package netron, which draws the pictures, is not installed. Next: pip install netron"
        )
    return Path(next(iter(found.submodule_search_locations)))


def netron_files(folder: Path) -> dict[str, Answer]:
    """Return name -> answer for every file of the package that a browser needs, except its page."""
    return {
        path.name: Answer(kind=KINDS[path.suffix], body=path, headers=KEPT)
        for path in sorted(folder.iterdir())
        if path.suffix in KINDS and path.is_file()
    }


def page_for(
    folder: Path,
    *,
    file: str,
    identifier: str,
    more: Mapping[str, str] | None = None,
    script: str = "",
    policy: str = POLICY,
) -> Answer:
    """Return Netron's page that opens `file` (a relative path) under the name `identifier`.

    `more`: further `meta` elements. `script`: runs before Netron's own. `policy`: content security policy of the
    answer.

    Three edits: the version 0.0.0 switches its telemetry off, the file is named, and the date is removed, because 180
    days after it Netron shows only a request to update.
    """
    text = (folder / "index.html").read_text(encoding="utf-8")
    told = (
        '<meta name="version" content="0.0.0">'
        f'<meta name="file" content="{escape(file)}">'
        f'<meta name="identifier" content="{escape(identifier)}">'
    )
    for name, content in (more or {}).items():
        told += f'<meta name="{escape(name)}" content="{escape(content)}">'
    told += f'<script src="{escape(script)}"></script>' if script else ""
    text, num_versions = re.subn(
        r'<meta name="version" content="[^"]*">', lambda _: told, text, count=1
    )
    text, num_dates = re.subn(r'<meta name="date" content="[^"]*">', "", text, count=1)
    if not num_versions or not num_dates:
        raise PictureError(
            f"{folder / 'index.html'} does not name its version and date as Netron 9 does;"
            " expected netron>=9. Next: pip install 'netron>=9'"
        )
    return Answer(
        kind="text/html; charset=utf-8", body=text.encode(), headers=CONSENT, policy=policy
    )
