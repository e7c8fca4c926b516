"""From Netron's SVG to a picture: coloured, small, safe beside others."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from graph_files import EVIL
from hypothesis import given
from hypothesis import strategies as st

from bench.netron.colours import STEPS, heat, ink_on
from bench.netron.errors import NotDrawn
from bench.netron.finish import finish, style_of, writable

RULES = {
    "light": [
        [".node path", "stroke: rgb(51, 51, 51); fill: none; user-select: none;"],
        [".node-item-type:hover path", "fill: rgb(255, 255, 255);"],
        [".select.edge-path", "stroke: red;"],
        ["#arrowhead", "fill: rgb(0, 0, 0);"],
        [".edge-path", 'marker-end: url("#arrowhead"); stroke: #000;'],
        [".graph-item-input:hover", "cursor: pointer;"],
    ],
    "dark": [[".edge-path", "stroke: rgb(136, 136, 136);"]],
}


def escaped(text):
    """As browsers write an attribute."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("\n", "&#xa;").replace("\t", "&#x9;")


def svg(*names, extra=""):
    """As Netron gives it."""
    nodes = "".join(
        f'<g id="node-name-{escaped(name)}" class="node graph-node" transform="translate(10.123456,20.98765)">'
        f'<g class="node-item node-item-type node-item-type-layer"><title>[old]</title><path d="M5,0h10.55555z"/>'
        f'<text x="7" y="14">Conv</text></g><path class="node node-border" d="M1,1z"/></g>'
        for name in names
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" id="export" class="canvas" width="287" height="334.4">'
        '<rect id="background" fill="#fff" pointer-events="all" width="287" height="334"/>'
        '<g id="origin"><g id="clusters" class="clusters"/><g id="edge-paths" class="edge-paths"><defs>'
        '<marker id="arrowhead"><path d="M0 0"/></marker><marker id="arrowhead-select"><path d="M0 0"/></marker>'
        f'</defs><path id="edge-x" class="edge-path" d="M1.23456,2"/></g><g id="nodes">{nodes}</g>{extra}</g></svg>'
    )


def find(picture, identity):
    root = ElementTree.fromstring(picture)
    return next(e for e in root.iter() if e.get("id") == identity)


def test_nodes_keep_their_ids_and_nothing_else_has_one():
    picture = finish(svg("conv1", "relu"), RULES)
    ids = re.findall(r' id="([^"]*)"', picture.svg)
    assert sorted(ids) == ["arrowhead", "node-name-conv1", "node-name-relu"]
    assert picture.names == {"conv1", "relu"}
    assert (picture.width, picture.height) == (287, 334)


def test_two_pictures_in_a_page_share_no_id():
    pages = [finish(svg("conv1"), RULES, prefix=p).svg for p in ("a-", "b-")]
    ids = [set(re.findall(r' id="([^"]*)"', page)) for page in pages]
    assert not ids[0] & ids[1]
    assert "url('#a-arrowhead')" in pages[0]
    assert "url('#b-arrowhead')" in pages[1]


def test_colours_fill_headers_and_notes_go_into_tooltips():
    picture = finish(
        svg("conv1", "relu"), RULES, colours={"conv1": "#102030"}, notes={"conv1": "3 MMAC"}
    )
    node = find(picture.svg, "node-name-conv1")
    assert "fill:#102030" in ElementTree.tostring(node, encoding="unicode")
    assert "fill:#fff" in ElementTree.tostring(node, encoding="unicode")
    assert [t.text for t in node.iter("{http://www.w3.org/2000/svg}title")] == ["conv1\n3 MMAC"]
    other = ElementTree.tostring(find(picture.svg, "node-name-relu"), encoding="unicode")
    assert "fill:#" not in other
    assert 'class="netron-picture toned"' in picture.svg
    assert "toned" not in finish(svg("a"), RULES).svg.split("<style")[0]


@pytest.mark.parametrize("name", EVIL)
def test_a_hostile_name_is_found_and_shown_and_cannot_break_out(name):
    picture = finish(
        svg(writable(name)), RULES, colours={name: "#102030"}, notes={name: name}, title=name
    )
    root = ElementTree.fromstring(picture.svg)
    assert "fill:#102030" in picture.svg
    assert not {e.tag.rpartition("}")[2] for e in root.iter()} & {"script", "img", "b"}
    assert "<script" not in picture.svg
    assert "<img" not in picture.svg
    assert len(picture.svg) < 60_000


@pytest.mark.parametrize(
    "extra",
    [
        "<script>alert(1)</script>",
        "<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'>x</p></foreignObject>",
        "<g onclick='alert(1)' class='k'><path d='M0 0' onload='x'/></g>",
        "<a href='javascript:alert(1)'><text>x</text></a>",
        "<image href='https://example.org/x.png'/>",
        "<style>@import url(https://example.org/x.css)</style>",
    ],
)
def test_nothing_that_runs_links_or_loads_gets_through(extra):
    picture = finish(svg("a", extra=extra), RULES).svg
    for word in ("script", "foreignObject", "onclick", "onload", "href", "example.org", "<a"):
        assert word not in picture


def test_references_to_what_xml_cannot_hold_do_not_break_a_picture():
    broken = svg("a").replace("Conv", "C&#x1;o&#xD800;n&#65534;v&#38;")
    assert "C\ufffdo\ufffdn\ufffdv&amp;" in finish(broken, RULES).svg


@pytest.mark.parametrize(
    "text", ["", "no svg", "<svg", "<svg xmlns='http://www.w3.org/2000/svg'><g></svg>"]
)
def test_what_is_no_svg_is_said(text):
    with pytest.raises(NotDrawn, match="expected an SVG"):
        finish(text, RULES)


def test_numbers_are_cut_to_a_tenth_of_a_pixel():
    picture = finish(svg("a"), RULES).svg
    assert "translate(10.1,20.9)" in picture
    assert "M1.2,2" in picture


def test_the_style_is_narrowed_to_pictures_and_has_no_rule_for_a_mouse():
    style = style_of(RULES, "arrowhead")
    assert ".netron-picture .node path{stroke: rgb(51, 51, 51); fill: none}" in style
    assert ".netron-picture .arrowhead{" in style
    assert "hover" not in style
    assert "select" not in style
    assert "cursor" not in style
    assert "@media (prefers-color-scheme:dark){.netron-picture .edge-path{" in style
    assert "<" not in style_of({"light": [["a</style><script>", "fill: red;"]]}, "arrowhead")


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.floats()), max_size=20))
def test_heat_has_a_colour_of_the_scale_for_what_takes_a_share(values):
    colours = heat(values)
    assert set(colours.values()) <= set(STEPS)
    good = {k: v for k, v in values.items() if v is not None and 0 < v < float("inf")}
    assert set(colours) <= set(good)
    if good and sum(good.values()) < float("inf"):
        assert colours[max(good, key=good.get)] == STEPS[-1]


def test_more_heat_is_darker():
    colours = heat({"a": 1.0, "b": 10.0, "c": 100.0, "nothing": 0.0, "open": None})
    assert set(colours) == {"a", "b", "c"}
    assert STEPS.index(colours["a"]) < STEPS.index(colours["b"]) < STEPS.index(colours["c"])


def test_ink_stands_out_on_every_colour():
    assert [ink_on(c) for c in (STEPS[0], STEPS[-1], "#000000", "#ffffff")] == [
        "#000",
        "#fff",
        "#fff",
        "#000",
    ]
    assert ink_on("red") == "#000"
