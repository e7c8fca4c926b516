"""Post-processing of Netron's SVG export: made small, coloured, and safe to embed in a page with others."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.netron.colours import ink_on
from bench.netron.errors import NotDrawn

# Netron's style sheet, restricted to one class, so that it styles only pictures.

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


SVG: Final = "http://www.w3.org/2000/svg"
NODE: Final = "node-name-"
"""Prefix of Netron's ids of nodes; the node's name follows."""
TAGS: Final = frozenset(
    {"svg", "g", "defs", "marker", "path", "rect", "line", "text", "tspan", "title"}
)
"""Elements that Netron draws with; all others are dropped."""
ATTRIBUTES: Final = frozenset(
    {
        *("class", "id", "style", "transform", "viewBox", "preserveAspectRatio", "space"),
        *("width", "height", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "rx", "ry"),
        *("d", "fill", "textLength", "lengthAdjust"),
        *("markerHeight", "markerUnits", "markerWidth", "orient", "refX", "refY"),
    }
)
"""Attributes that are kept: none that executes, links or loads."""
LONGEST_TITLE: Final = 2000
"""Characters of a node's tooltip."""

_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE: Final = re.compile(r"&#(?:x([0-9a-fA-F]+)|(\d+));")
_FRACTION: Final = re.compile(r"(\d+\.\d)\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished picture."""

    svg: str
    width: int
    height: int
    """Natural height in pixels."""
    names: frozenset[str]
    """Names of the drawn nodes that can be found by their id."""


def writable(text: str) -> str:
    """Return the text without characters that are invalid in XML."""
    return _UNWRITABLE.sub("\ufffd", text)


def finish(
    svg: str,
    rules: Mapping[str, Rules],
    *,
    colours: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    prefix: str = "",
    title: str = "",
) -> Finished:
    """Return the finished picture.

    Nodes keep the id `node-name-NAME`, with `prefix` in front. `colours` (node's name -> #rrggbb) fill their headers,
    all others become grey; `notes` (node's name -> text) go into their tooltips. Raises NotDrawn if Netron's output is
    not an SVG.
    """
    # ElementTree reads no DTD whose entities could expand; Netron writes none.
    try:
        root = ElementTree.fromstring(_reference_free(_UNWRITABLE.sub("\ufffd", svg)))
    except ElementTree.ParseError as error:
        raise NotDrawn(f"Netron's picture is no XML ({error}); expected an SVG") from error
    _clean(root)
    names = set()
    named_colours = {writable(k): v for k, v in (colours or {}).items()}
    named_notes = {writable(k): v for k, v in (notes or {}).items()}
    for group in root.iter(f"{{{SVG}}}g"):
        identity = group.get("id", "")
        if identity.startswith(NODE):
            name = identity.removeprefix(NODE)
            names.add(name)
            group.set("id", f"{prefix}{identity}")
            _annotate(group, name, named_colours.get(name), named_notes.get(name, ""))
    width, height = (round(float(root.get(side, "0"))) for side in ("width", "height"))
    arrow = f"{prefix}arrowhead"
    root.set("viewBox", f"0 0 {width} {height}")
    root.set("role", "img")
    root.set("class", f"{CLASS} {TONED}" if colours is not None else CLASS)
    label = ElementTree.Element(f"{{{SVG}}}title")
    label.text = writable(title)
    style = ElementTree.Element(f"{{{SVG}}}style")
    style.text = style_of(rules, arrow)
    root.insert(0, style)
    if title:
        root.insert(0, label)
    for marker in root.iter(f"{{{SVG}}}marker"):
        marker.set("id", arrow)
    ElementTree.register_namespace("", SVG)
    text = ElementTree.tostring(root, encoding="unicode")
    return Finished(svg=text, width=width, height=height, names=frozenset(names))


def _reference_free(svg: str) -> str:
    """Return the SVG with character references to characters invalid in XML, which browsers emit, replaced."""

    def one(found: re.Match[str]) -> str:
        code = int(found[1], 16) if found[1] else int(found[2])
        is_good = code < 0x110000 and not _UNWRITABLE.match(chr(code))
        return found[0] if is_good else "\ufffd"

    return _REFERENCE.sub(one, svg)


def _clean(element: ElementTree.Element) -> None:
    """Keep what draws; drop what is empty, unknown or only for mouse interaction on Netron's page."""
    for child in list(element):
        tag = child.tag.removeprefix(f"{{{SVG}}}") if isinstance(child.tag, str) else ""
        is_spare = child.get("id", "") in ("arrowhead-select", "arrowhead-hover")
        if tag not in TAGS or is_spare:
            element.remove(child)
            continue
        _clean(child)
        if tag in ("g", "defs") and len(child) == 0:
            element.remove(child)
    for name in list(element.attrib):
        if name.rpartition("}")[2] not in ATTRIBUTES:
            del element.attrib[name]
    identity = element.get("id", "")
    if identity == "background":
        element.attrib.pop("fill", None)
        element.set("class", "paper")
    if identity and not identity.startswith(NODE):
        # Classes carry the same names, and ids must be unique in a page.
        if element.get("class") is None:
            element.set("class", re.sub(r"[^\w-]", "", identity)[:40])
        del element.attrib["id"]
    for name in ("d", "transform", "style"):
        if name in element.attrib:
            element.set(name, _FRACTION.sub(r"\1", element.attrib[name]))
    if element.get("style") == "":
        del element.attrib["style"]


def _annotate(group: ElementTree.Element, name: str, colour: str | None, note: str) -> None:
    """Set the header's colour and add the note to the tooltip."""
    header = next(
        (g for g in group.iter(f"{{{SVG}}}g") if "node-item-type" in g.get("class", "")), None
    )
    if colour is not None:
        for item in group.iter(f"{{{SVG}}}g"):
            if "node-item-type" in item.get("class", "").split():
                for part, style in (("path", f"fill:{colour}"), ("text", f"fill:{ink_on(colour)}")):
                    for shape in item.findall(f"{{{SVG}}}{part}"):
                        shape.set("style", style)
        for border in group.findall(f"{{{SVG}}}path"):
            border.set("style", f"stroke:{colour};stroke-width:2px")
    if header is None:
        return
    for old in header.findall(f"{{{SVG}}}title"):
        header.remove(old)
    tooltip = ElementTree.Element(f"{{{SVG}}}title")
    tooltip.text = writable(f"{name[:LONGEST_TITLE]}\n{note}".strip())
    header.insert(0, tooltip)
