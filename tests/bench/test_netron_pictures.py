"""Pictures with a real Chromium and the installed Netron."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import onnx
import pytest
from graph_files import EVIL, chain, net, save, value
from onnx import helper

from bench.__main__ import main
from bench.netron import studio as studio_module
from bench.netron.attachment import attachment
from bench.netron.colours import heat
from bench.netron.devtools import INSTALL, Browser, find_browser
from bench.netron.errors import BrowserMissing, NotDrawn, PictureTimedOut
from bench.netron.finish import writable
from bench.netron.server import Answer, Server
from bench.netron.site import netron_files, netron_folder, page_for
from bench.netron.studio import Studio, picture
from bench.onnx_graph.distribution import histograms_of
from bench.onnx_graph.errors import GraphError
from bench.onnx_graph.read import read

try:
    CHROMIUM = find_browser()
except BrowserMissing:
    CHROMIUM = None

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason=f"no Chromium on PATH; {INSTALL}"),
]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def studio():
    with Studio() as studio:
        yield studio


def soon(seconds=60.0):
    return time.monotonic() + seconds


def texts(svg):
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def ids(svg):
    return {e.get("id") for e in ElementTree.fromstring(svg).iter() if e.get("id")}


def test_a_graph_is_drawn_with_an_id_for_each_node(studio, tmp_path):
    taken = studio.take(net(tmp_path / "net.onnx"))
    assert taken.names == {"conv", "relu", "pool", "flatten", "fc"}
    assert {f"node-name-{name}" for name in taken.names} <= ids(taken.svg)
    assert {"Conv", "Relu", "MatMul", "x", "y"} <= set(texts(taken.svg))
    assert any("‹8×3×3×3›" in text for text in texts(taken.svg))
    assert not re.search("[\u3008\u3009]", taken.svg)
    assert ".netron-picture .node-item-type-layer path" in taken.svg
    assert "@media (prefers-color-scheme:dark)" in taken.svg
    assert taken.num_nodes == 5
    assert not taken.is_summary
    assert taken.height > 300 > taken.width > 60


def test_colours_and_notes_are_on_their_nodes(studio, tmp_path):
    path = net(tmp_path / "net.onnx")
    colours = heat({n.key: n.macs for n in read(path).nodes})
    taken = studio.take(path, colours=colours, notes={"conv": "55.3 kMAC"})
    root = ElementTree.fromstring(taken.svg)
    conv = next(e for e in root.iter() if e.get("id") == "node-name-conv")
    assert colours["conv"] in ElementTree.tostring(conv, encoding="unicode")
    assert "conv\n55.3 kMAC" in [t.text for t in conv.iter(f"{SVG}title")]
    relu = next(e for e in root.iter() if e.get("id") == "node-name-relu")
    assert "fill:#" not in ElementTree.tostring(relu, encoding="unicode")


def test_nodes_without_a_name_of_their_own_can_be_coloured(studio, tmp_path):
    path = save(
        tmp_path / "a.onnx",
        [helper.make_node("Relu", ["x"], ["v"]), helper.make_node("Abs", ["v"], ["y"])],
    )
    keys = [n.key for n in read(path).nodes]
    taken = studio.take(path, colours={keys[1]: "#123456"})
    assert set(keys) == taken.names
    assert "#123456" in taken.svg


@pytest.mark.parametrize("side", ["weights beside", "weights inside"])
def test_weights_are_not_needed_for_a_picture(studio, tmp_path, side):
    path = net(tmp_path / "net.onnx", width=64)
    if side == "weights beside":
        onnx.save(
            onnx.load(path),
            path,
            save_as_external_data=True,
            location="net.onnx.data",
            size_threshold=0,
        )
        (tmp_path / "net.onnx.data").unlink()
    assert any("‹64×3×3×3›" in text for text in texts(studio.take(path).svg))


def test_a_program_of_torch_export_is_drawn(studio, tmp_path):
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(module.eval(), (torch.ones(1, 4),)), path)
    taken = studio.take(path)
    assert taken.num_nodes == 3
    assert {"linear", "relu"} <= set(texts(taken.svg))
    assert any("‹8×4›" in text for text in texts(taken.svg))


def test_hostile_names_are_drawn_and_never_run(studio, tmp_path):
    nodes, before = [], EVIL[0]
    for number, name in enumerate(EVIL):
        nodes.append(helper.make_node("Relu", [before], [f"{name}{number}"], name=name))
        before = f"{name}{number}"
    nodes.append(
        helper.make_node(EVIL[0], [before], ["y"], name="odd", domain=EVIL[1], note=EVIL[0])
    )
    path = save(
        tmp_path / "evil.onnx",
        nodes,
        inputs=[value(EVIL[0], [EVIL[4], 3])],
        outputs=[value("y", [EVIL[2], 3])],
        opsets=[helper.make_opsetid("", 20), helper.make_opsetid(EVIL[1], 1)],
        producer_name=EVIL[0],
        name=EVIL[0],
    )
    colours = dict.fromkeys(EVIL, "#123456")
    taken = studio.take(path, colours=colours, notes={n: n for n in EVIL}, title=EVIL[0])
    assert taken.names == {*(writable(name) for name in EVIL), "odd"}
    assert taken.svg.count("#123456") >= len(EVIL)
    tags = {e.tag.removeprefix(SVG) for e in ElementTree.fromstring(taken.svg).iter()}
    assert not tags & {"script", "img", "b", "foreignObject"}
    assert taken.width < 2000
    assert (
        studio._browser.evaluate(studio._session, "window.pwned ?? null", deadline=soon()) is None
    )
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><body>{taken.svg}", encoding="utf-8")
    with Browser(CHROMIUM, deadline=soon()) as browser:
        session = browser.page(deadline=soon())
        browser.call("Page.navigate", {"url": page.as_uri()}, session=session, deadline=soon())
        shown = browser.evaluate(
            session,
            "new Promise(done => setTimeout(() => done([window.pwned ?? null,"
            " document.querySelectorAll('[id^=node-name]').length]), 300))",
            deadline=soon(),
        )
    assert shown == [None, len(EVIL) + 1]


def test_no_request_leaves_loopback_and_the_console_is_quiet(tmp_path):
    with Studio() as studio:
        browser = studio._ready(soon())
        for domain in ("Network", "Runtime", "Log"):
            browser.call(f"{domain}.enable", session=studio._session, deadline=soon())
        browser.events.clear()
        studio._ready = lambda until: browser  # keeps what was heard
        studio.take(net(tmp_path / "net.onnx"))
        heard = list(browser.events)
        address = studio._server.address
    urls = [
        e["params"]["request"]["url"] for e in heard if e["method"] == "Network.requestWillBeSent"
    ]
    assert len(urls) > 10
    assert all(url.startswith((address, "blob:", "data:")) for url in urls)
    loud = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    assert [e for e in heard if e["method"] in loud] == []


def test_the_browser_has_no_way_out():
    with Browser(CHROMIUM, deadline=soon()) as browser:
        session = browser.page(deadline=soon())
        for url in ("http://example.org/", "http://localhost:8080/", "http://1.1.1.1/"):
            went = browser.call("Page.navigate", {"url": url}, session=session, deadline=soon())
            assert "ERR_NAME_NOT_RESOLVED" in went["errorText"]


def test_what_netron_cannot_read_is_one_error_and_the_next_picture_is_drawn(studio, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x0a" + b"nothing of a graph")
    with pytest.raises(GraphError, match=r"broken\.onnx"):
        studio.take(broken)
    with pytest.raises(NotDrawn, match=r"expected a file that ends in \.onnx or \.pt2"):
        studio.take(tmp_path / "model.txt")
    assert studio.take(net(tmp_path / "net.onnx")).names


def test_netrons_own_refusal_is_told(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(
        studio_module, "_served", lambda model, blocks_from: (b"no graph", 1, False)
    )
    with pytest.raises(NotDrawn, match=r"x\.onnx: Netron cannot show it"):
        studio.take(tmp_path / "x.onnx")


def test_the_deadline_holds_and_the_next_picture_is_drawn(tmp_path):
    with Studio() as studio:
        studio.take(net(tmp_path / "net.onnx"))
        first = studio._browser.pid
        began = time.monotonic()
        with pytest.raises(PictureTimedOut, match=r"long\.onnx: no picture within 0\.5 s"):
            studio.take(chain(tmp_path / "long.onnx", 4000), deadline=0.5)
        assert time.monotonic() - began < 5
        assert studio.take(tmp_path / "net.onnx").names
        assert studio._browser.pid != first


def test_over_five_thousand_nodes_are_drawn_as_blocks(studio, tmp_path):
    path = chain(tmp_path / "long.onnx", 5001, scopes=[f"layer{n}.conv" for n in range(6)])
    taken = studio.take(path, colours={"n1": "#123456"})
    assert taken.is_summary
    assert taken.num_nodes == 5001
    assert taken.names == {f"layer{n}/conv" for n in range(6)}
    assert any("(nodes) = 83" in text for text in texts(taken.svg))
    assert "toned" not in taken.svg.partition("<style")[0]


def test_one_picture_alone_is_text(tmp_path):
    assert picture(net(tmp_path / "net.onnx"), colours={"conv": "#123456"}).startswith("<svg")


def test_the_browser_ends_with_us_even_when_we_are_killed(tmp_path):
    script = (
        "import sys, time\n"
        "from bench.netron.devtools import Browser, find_browser\n"
        "browser = Browser(find_browser(), deadline=time.monotonic() + 60)\n"
        "print(browser.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as child:
        pid = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
    until = soon(20)
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.kill(pid, 0)
            time.sleep(0.05)
        pytest.fail(f"the browser {pid} outlived its owner")


def test_our_numbers_are_in_netrons_sidebar(tmp_path):
    path = net(tmp_path / "net.onnx")
    graph = read(path)
    document = attachment(
        graph, latency={"conv": 3e-3, "fc": 1e-3}, histograms=histograms_of(path),
        errors={"conv": 31.2}, facts={"suite": "torch-vitals"},
    )  # fmt: skip
    folder = netron_folder()
    answers = {
        **netron_files(folder),
        "m/net.onnx": Answer(kind="application/octet-stream", body=path),
        "m/net.json": Answer(kind="application/json", body=json.dumps(document).encode()),
        "page.html": page_for(folder, file="m/net.onnx", identifier="net.onnx"),
    }
    script = """(async () => {
      const wait = async (ready) => { while (!ready()) await new Promise((r) => setTimeout(r, 20)); };
      await wait(() => window.__view__ && document.body && document.body.classList.contains("default"));
      const view = window.__view__;
      const base = await import("./base.js");
      const bytes = new Uint8Array(await (await fetch("m/net.json")).arrayBuffer());
      const stream = new base.BinaryStream(bytes);
      const attached = await view.attach({ identifier: "net.json", stream });
      const node = view.activeTarget.nodes.find((n) => n.name === "conv");
      view.showNodeProperties(node);
      await wait(() => document.getElementById("sidebar-content").innerText.includes("conv"));
      return [attached, document.getElementById("sidebar-content").innerHTML
        + [...document.querySelectorAll("#sidebar-content input")].map((i) => i.value).join("|")];
    })()"""
    with Server(answers) as server, Browser(CHROMIUM, deadline=soon()) as browser:
        session = browser.page(deadline=soon())
        browser.call(
            "Page.navigate", {"url": f"{server.address}page.html"}, session=session, deadline=soon()
        )
        attached, shown = browser.evaluate(session, script, deadline=soon())
    assert attached is True
    for text in (
        "MACs",
        "55,296 (100%)",
        "latency",
        "3.00 ms (75%)",
        "quantization SNR",
        "31.2 dB",
    ):
        assert text in shown


def test_two_graphs_are_compared_in_pictures_that_work_in_a_browser(tmp_path, capsys):
    before = net(tmp_path / "a.onnx")
    model = onnx.load(before)
    model.graph.node[1].op_type = "Sigmoid"
    model.graph.node.insert(2, helper.make_node("Abs", ["r"], ["r2"], name="new"))
    model.graph.node[3].input[0] = "r2"
    onnx.save(model, tmp_path / "b.onnx")
    page = tmp_path / "page.html"
    arguments = ["graphs", str(before), str(tmp_path / "b.onnx"), "--pictures", "--out", str(page)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.strip() == str(page)
    script = """(async () => {
      await new Promise((r) => setTimeout(r, 300));
      const panes = [...document.querySelectorAll(".pane")];
      const width = () => panes.map((p) => p.querySelector("svg").getBoundingClientRect().width);
      const first = width();
      document.querySelector('[data-zoom="1.25"]').click();
      const second = width();
      document.querySelector("tr.linked").click();
      const fill = (id) => getComputedStyle(document.getElementById(id).querySelector(".node-item-type path")).fill;
      return {
        panes: panes.length,
        grew: first.map((w, n) => second[n] / w),
        found: document.querySelectorAll(".pane .found").length,
        changed: [fill("a-node-name-relu"), fill("b-node-name-relu")],
        added: fill("b-node-name-new"),
        same: fill("a-node-name-conv"),
        ids: [...document.querySelectorAll("[id]")].map((e) => e.id),
        room: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      };
    })()"""
    with Browser(CHROMIUM, deadline=soon()) as browser:
        session = browser.page(deadline=soon())
        for domain in ("Runtime", "Log", "Network"):
            browser.call(f"{domain}.enable", session=session, deadline=soon())
        sizes = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        browser.call("Emulation.setDeviceMetricsOverride", sizes, session=session, deadline=soon())
        browser.call("Page.navigate", {"url": page.as_uri()}, session=session, deadline=soon())
        shown = browser.evaluate(session, script, deadline=soon())
        heard = list(browser.events)
    assert shown["panes"] == 2
    assert shown["grew"] == pytest.approx([1.25, 1.25], rel=0.01)
    assert shown["found"] == 1
    assert shown["changed"] == ["rgb(224, 161, 0)"] * 2
    assert shown["added"] == "rgb(26, 127, 78)"
    assert shown["same"] not in (shown["added"], shown["changed"][0])
    assert len(shown["ids"]) == len(set(shown["ids"]))
    assert shown["room"] <= 0
    loud = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    assert [e for e in heard if e["method"] in loud] == []
    urls = [
        e["params"]["request"]["url"] for e in heard if e["method"] == "Network.requestWillBeSent"
    ]
    assert urls == [page.as_uri()]
