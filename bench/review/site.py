"""Review as a site: path -> answer. The server serves exactly these; the bundle is these as files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Final

from bench.netron.server import Answer
from bench.netron.site import netron_files, netron_folder, page_for
from bench.review.graphs import Exhibit, Room
from bench.review.marking import Marked

HERE: Final = Path(__file__).parent
HTML: Final = "text/html; charset=utf-8"
PAGES: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-src 'self';"
    " base-uri 'none'; form-action 'none'"
)
"""Content security policy of the review's own pages, which have no script."""
NETRON: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self';"
    " style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:;"
    " base-uri 'none'; form-action 'none'"
)
"""Content security policy of Netron's pages: only the listed scripts, connections only to this server."""
FRAMED: Final = "; frame-ancestors 'self'"
"""Directive that lets only this site frame Netron's pages, as comparisons do. It has no effect in a `meta` element; the
server sends it.
"""
_POLICY: Final = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')


def html_answer(text: str) -> Answer:
    """Return a page with the policy that it declares itself, else PAGES."""
    found = _POLICY.search(text)
    policy = unescape(found[1]) if found else PAGES
    return Answer(
        kind=HTML, body=text.encode("utf-8", "replace"), policy=f"{policy}{FRAMED}", headers=_FRESH
    )


def netron_answers(rooms: Sequence[Room], marked: Iterable[Marked]) -> dict[str, Answer]:
    """Return Netron, its pages, the graphs and their numbers; a page per graph, and one for each comparison with
    another.

    Raises PictureError without a compatible Netron.
    """
    folder = netron_folder()
    found = {f"netron/{name}": answer for name, answer in netron_files(folder).items()}
    found["netron/LICENSE"] = Answer(kind="text/plain; charset=utf-8", body=HERE / "netron-LICENSE")
    found["netron/boot.js"] = Answer(kind="text/javascript", body=HERE / "boot.js")
    for room in rooms:
        for exhibit in room.exhibits:
            found |= _of_graph(exhibit)
            found[exhibit.page] = _page(folder, exhibit)
    for one in marked:
        marks = f"models/{one.exhibit.number}/against-{one.against.number}.json"
        found[f"netron/{marks}"] = Answer(
            kind="application/json", body=one.marks.encode("utf-8", "replace"), headers=_FRESH
        )
        found[one.page] = _page(folder, one.exhibit, marks=marks)
    return found


def _of_graph(exhibit: Exhibit) -> dict[str, Answer]:
    """Return the graph's files under the names that its page uses, and its numbers."""
    start = f"models/{exhibit.number}/"
    found = {f"netron/{_name(exhibit)}": _file(exhibit.path)}
    for beside in exhibit.files[1:]:
        # Relative to the graph's own path; `files_of` keeps it inside the graph's folder.
        found[f"netron/{start}{beside.relative_to(exhibit.path.parent).as_posix()}"] = _file(beside)
    if exhibit.attachment is not None:
        found[f"netron/{start}numbers.json"] = Answer(
            kind="application/json", body=exhibit.attachment, headers=_FRESH
        )
    return found


def _page(folder: Path, exhibit: Exhibit, **more: str) -> Answer:
    """Return Netron's page for it; `more`: data passed to `boot.js` besides its numbers."""
    if exhibit.attachment is not None:
        more["attachment"] = f"models/{exhibit.number}/numbers.json"
    page = page_for(
        folder,
        file=_name(exhibit),
        identifier=f"{exhibit.name[:80]}",
        more=more,
        script="boot.js",
        policy=f"{NETRON}{FRAMED}",
    )
    return replace(page, headers=(*page.headers, *_FRESH))


def _name(exhibit: Exhibit) -> str:
    """Return the name of its file next to Netron's pages."""
    return f"models/{exhibit.number}/model{exhibit.path.suffix.lower()}"


def _file(path: Path) -> Answer:
    return Answer(kind="application/octet-stream", body=path, headers=_FRESH)


_FRESH: Final = (("Cache-Control", "no-store"),)
