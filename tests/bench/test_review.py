"""`python -m bench review`: what it serves and refuses, what Netron shows of it, and the folder it leaves."""

import http.client
import itertools
import json
import os
import re
import signal
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from graph_files import EVIL, net, save, value
from life_runs import write_suite_run
from onnx import helper
from pages import page

from bench.__main__ import main
from bench.graph_analysis.folder import Anatomies
from bench.netron.devtools import INSTALL, find_browser
from bench.netron.errors import BrowserMissing
from bench.review.graphs import Exhibit, Room
from bench.review.pages import pages_of

try:
    find_browser()
    HAS_CHROMIUM = True
except BrowserMissing:
    HAS_CHROMIUM = False

ROOT = Path(__file__).parents[2]
FILES = Path(__file__).with_name("files")
seen_by_a_browser = pytest.mark.skipif(not HAS_CHROMIUM, reason=f"no Chromium on PATH; {INSTALL}")
pytestmark = [pytest.mark.heavy, pytest.mark.slow]


def field(number, kind, payload):
    """One field of a protobuf message, written by hand."""
    if kind == 0:
        return bytes([number << 3]) + varint(payload)
    return bytes([number << 3 | 2]) + varint(len(payload)) + payload


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def written_by_hand(path):
    """y = Relu(x + w), without any library: ModelProto, GraphProto, NodeProto, TensorProto as bytes."""

    def port(name):
        dims = field(1, 2, field(1, 0, 1)) + field(1, 2, field(1, 0, 40))
        kind = field(1, 2, field(1, 0, 1) + field(2, 2, dims))
        return field(1, 2, name) + field(2, 2, kind)

    def node(inputs, output, name, operator):
        ins = b"".join(field(1, 2, i) for i in inputs)
        return ins + field(2, 2, output) + field(3, 2, name) + field(4, 2, operator)

    numbers = struct.pack("<40f", *(i / 10 - 2 for i in range(40)))
    weight = field(1, 0, 40) + field(2, 0, 1) + field(8, 2, b"w") + field(9, 2, numbers)
    graph = (
        field(1, 2, node([b"x", b"w"], b"s", b"sum", b"Add"))
        + field(1, 2, node([b"s"], b"y", b"positive", b"Relu"))
        + field(2, 2, b"by hand")
        + field(5, 2, weight)
        + field(11, 2, port(b"x"))
        + field(12, 2, port(b"y"))
    )
    path.write_bytes(field(1, 0, 8) + field(7, 2, graph) + field(8, 2, field(2, 0, 17)))
    return path


class Served:
    """A review in a process of its own."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench", "review", *map(str, arguments), "--no-browse"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        line = self.process.stdout.readline()
        assert line.startswith("Review: http://127.0.0.1:"), self.process.stderr.read()
        self.address = line.split()[1]

    def ask(self, path, *, host=None, start=None):
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        connection.putrequest(
            "GET", (parts.path if start is None else start) + path, skip_host=True
        )
        connection.putheader("Host", host or parts.netloc)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body, answer.headers

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=30)
        return self.process.returncode, out, errors


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    return {
        "helper": net(folder / "helper.onnx"),
        "sklearn": FILES / "digits-skl2onnx.onnx",
        "hand": written_by_hand(folder / "hand.onnx"),
        "wide": net(folder / "wide.onnx", seed=1, width=12),
    }


@pytest.fixture(scope="module")
def served(graphs):
    (graphs["helper"].parent / "secret.txt").write_text("secret")
    found = Served(*graphs.values())
    yield found
    if found.process.poll() is None:
        found.end()


def test_every_graph_has_a_page_and_its_numbers(served):
    status, index, headers = served.ask("")
    assert status == 200
    assert index == served.ask("index.html")[1]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for number in (1, 2, 3, 4):
        assert f"netron/{number}.html" in index.decode()
        numbers = json.loads(served.ask(f"netron/models/{number}/numbers.json")[1])
        assert numbers["signature"] == "netron:attachment"
        assert served.ask(f"netron/models/{number}/model.onnx")[0] == 200
    rows = json.loads(served.ask("netron/models/1/numbers.json")[1])["metrics"]
    assert {"kind": "node", "target": "conv", "name": "MACs", "value": "55,296 (100%)"} in rows
    assert any((r["target"], r["name"]) == ("conv", "latency") for r in rows)
    assert any((r["target"], r["name"]) == ("conv.weight", "histogram") for r in rows)
    assert any((r["kind"], r["name"]) == ("value", "activation") for r in rows)


def test_what_is_not_listed_is_refused(served):
    start = urlsplit(served.address).path
    for path in ("secret.txt", "netron/models/1/secret.txt", "netron/secret.txt", "etc/passwd"):
        assert served.ask(path)[0] == 404
    for path in ("../../etc/passwd", "netron/../index.html", "..%2f..%2fetc/passwd", "%2e%2e/x"):
        assert served.ask(path)[0] == 404
    assert served.ask("/index.html", start="")[0] == 404
    assert served.ask("index.html", start=start[:-2] + "/")[0] == 404


def test_another_host_is_refused(served):
    for host in ("evil.example", "localhost:80", "127.0.0.1"):
        assert served.ask("index.html", host=host)[0] == 421


def test_nothing_in_the_pages_leads_elsewhere(served):
    for path in ("index.html", "model-1.html", "compare-1-2.html"):
        text = served.ask(path)[1].decode()
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text)
    # Netron's own page has links in its menu; what it loads is its own.
    assert not re.search(rb"""(?:src|action)=["'](?:https?:)?//""", served.ask("netron/1.html")[1])
    assert b'name="date"' not in served.ask("netron/1.html")[1]
    assert b'name="version" content="0.0.0"' in served.ask("netron/1.html")[1]


@pytest.mark.parametrize("path", ["index.html", "model-1.html", "compare-1-2.html"])
def test_every_page_has_one_title_and_its_headings_skip_no_level(served, path):
    levels = [int(n) for n in re.findall(r"<h([1-6])", served.ask(path)[1].decode())]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(graphs, number):
    code, out, errors = Served(graphs["hand"], "--quick").end(number)
    assert (code, out.strip(), errors) == (0, "ended", "")


@seen_by_a_browser
def test_netron_shows_our_numbers_of_a_node_and_of_a_weight(served):
    with page() as seen:
        seen.open(f"{served.address}netron/1.html")
        seen.wait("document.body.dataset.attached === 'yes'")
        seen.run(
            "document.querySelector('#node-name-conv .node-item-type')"
            ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
        )
        seen.wait("document.getElementById('sidebar').innerText.includes('55,296 (100%)')")
        names = seen.run("[...document.querySelectorAll('#sidebar input')].map(i => i.value)")
        assert {"MACs", "latency"} <= set(names)
        assert not seen.said
        assert seen.asked
        assert all(url.startswith(served.address) for url in seen.asked)


@seen_by_a_browser
@pytest.mark.parametrize("number", [2, 3])
def test_graphs_of_other_makers_open_in_netron(served, number):
    with page() as seen:
        seen.open(f"{served.address}netron/{number}.html")
        seen.wait("document.body.dataset.attached === 'yes'")
        assert seen.run("document.querySelectorAll('#nodes > g').length") >= 2
        assert not seen.said


@seen_by_a_browser
def test_a_comparison_shows_both_and_what_differs(served):
    with page() as seen:
        seen.open(f"{served.address}compare-1-4.html")
        drawn = "f => f.contentDocument && f.contentDocument.body.dataset.attached === 'yes'"
        seen.wait(f"[...document.querySelectorAll('iframe')].every({drawn})")
        assert "batch×8×16×16 → batch×12×16×16" in seen.run("document.body.innerText")
        assert not seen.said
        seen.resize(390, 800)
        assert seen.run("document.documentElement.scrollWidth") <= 390


@seen_by_a_browser
def test_the_nodes_that_differ_are_coloured_on_both_sides(served):
    with page() as seen:
        seen.open(f"{served.address}compare-1-4.html")
        frames = "[...document.querySelectorAll('iframe')].map(f => f.contentDocument)"
        seen.wait(f"{frames}.every(d => d && d.body && Number(d.body.dataset.marked) > 0)")
        header = "querySelector('#node-name-conv .node-item-type > path')"
        fills = seen.run(f"{frames}.map(d => d.defaultView.getComputedStyle(d.{header}).fill)")
        assert fills == ["rgb(224, 161, 0)"] * 2  # of what changed
        tooltip = "d.querySelector('#node-name-conv .node-item-type > title').textContent"
        told = seen.run(f"{frames}.map(d => {tooltip})")
        assert all("shape" in text for text in told), told
        assert "changed" in seen.run("document.querySelector('.legend').innerText")
        relu = "d.querySelector('#node-name-relu').classList.contains('differs')"
        assert seen.run(f"{frames}.map(d => {relu})") == [False, False]  # it carries on a shape
        seen.open(f"{served.address}netron/1.html")
        seen.wait("document.body.dataset.attached === 'yes'")
        assert seen.run("document.body.dataset.marked === undefined")


def test_every_pair_of_a_few_files_is_compared_and_the_limit_is_told(served):
    _, page, _ = served.ask("compare-2-4.html")
    assert b"Nothing is coloured" not in page
    room = Room(number=1, title="six files", size="", exhibits=tuple(map(exhibit, range(1, 7))))
    index = pages_of((room,), Anatomies(), {}, title="six files", report=None)["index.html"]
    assert "Paired are the first 5 of these 6" in index


def exhibit(number):
    path = Path(f"{number}.onnx")
    return Exhibit(
        number=number, path=path, name=path.name, state=path.name, files=(path,), stem=""
    )


@seen_by_a_browser
def test_graphs_side_by_side_move_together(served):
    with page() as seen:
        seen.open(f"{served.address}compare-1-4.html", width=900, height=700)
        frames = "[...document.querySelectorAll('iframe')].map(f => f.contentWindow)"
        seen.wait(f"{frames}.every(w => w.document.body && w.document.body.dataset.together)")
        seen.run(
            f"(() => {{ const w = {frames}[0]; w.__view__._target.zoom = 1.35;"
            " const box = w.document.getElementById('target'); box.scrollTop = 90;"
            " box.dispatchEvent(new Event('wheel')); })()"
        )
        seen.wait(f"Math.abs({frames}[1].__view__._target.zoom - 1.35) < 0.01", 10)
        top = "w.document.getElementById('node-name-conv').getBoundingClientRect().top"
        seen.wait(f"(t => Math.abs(t[0] - t[1]) < 3)({frames}.map(w => {top}))", 10)
        # The other one leads as well, and nothing swings back.
        seen.run(f"{frames}[1].document.getElementById('target').scrollTop = 20")
        seen.wait(f"(t => Math.abs(t[0] - t[1]) < 3)({frames}.map(w => {top}))", 10)
        assert seen.run(f"{frames}[1].document.getElementById('target').scrollTop") == 20
        assert not seen.said


@seen_by_a_browser
def test_names_are_shown_and_not_run(tmp_path):
    """Graphs, nodes, weights and files may be called anything."""
    nodes, before, weights = [], "x", {}
    for number, name in enumerate(EVIL):
        weights[f"{name} w{number}"] = np.arange(40, dtype=np.float32)
        nodes.append(
            helper.make_node("Add", [before, f"{name} w{number}"], [f"v{number}{name}"], name=name)
        )
        before = f"v{number}{name}"
    nodes.append(helper.make_node("Relu", [before], ["y"], name="last"))
    path = save(
        tmp_path / "it's \"<b>&amp;🦆 مرحبا.onnx",
        nodes,
        weights=weights,
        inputs=[value("x", [1, 40])],
    )
    found = Served(path)
    try:
        with page() as seen:
            for where in ("index.html", "model-1.html", "netron/1.html"):
                seen.open(found.address + where)
                if where.startswith("netron"):
                    seen.wait("document.body.dataset.attached")
                assert seen.run("window.pwned === undefined")
                assert not seen.said, where
                assert all(url.startswith(found.address) for url in seen.asked)
            seen.open(found.address + "model-1.html", width=390, height=800)
            assert seen.run("document.documentElement.scrollWidth") <= 390
            assert "<script>window.pwned=1" in seen.run("document.body.textContent")
    finally:
        found.end()


def test_a_bundle_is_the_same_as_files(graphs, tmp_path, capsys):
    folder = tmp_path / "bundle"
    assert main(["review", str(graphs["hand"]), "--bundle", str(folder)]) == 0
    assert "python -m http.server" in capsys.readouterr().out
    assert "Lutz Roeder" in (folder / "netron" / "LICENSE").read_text()
    assert (folder / "netron" / "models" / "1" / "model.onnx").read_bytes() == graphs[
        "hand"
    ].read_bytes()
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < 12_000_000
    assert main(["review", str(graphs["hand"]), "--bundle", str(folder)]) == 0  # replaces its own
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    assert main(["review", str(graphs["hand"]), "--bundle", str(tmp_path / "other")]) == 2
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine"


@seen_by_a_browser
def test_a_bundle_opens_in_netron_behind_any_server(graphs, tmp_path):
    folder = tmp_path / "bundle"
    assert main(["review", str(graphs["helper"]), "--bundle", str(folder)]) == 0
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "-d", folder],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())[0]
        with page() as seen:
            seen.open(f"{address}netron/1.html")
            seen.wait("document.body.dataset.attached === 'yes'")
            assert not seen.said
            assert all(url.startswith(address) for url in seen.asked)
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def run(tmp_path):
    """A run of the suite that has left three states of one model."""
    folder = tmp_path / "runs" / "20261124-000000-look"
    write_suite_run(folder)
    (folder / "onnx").mkdir()
    lines = []
    for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        cell = record["cell"]
        if (cell["model"], record["step"]) == ("cnn", "export") and cell["variant"] != "original":
            path = f"onnx/cnn-tiny-{cell['variant']}.onnx"
            net(folder / path, width=4 + len(cell["variant"]))
            record["artifacts"] = [{"kind": "onnx", "path": path, "num_bytes": 1, "facts": {}}]
        lines.append(json.dumps(record))
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_a_run_is_reviewed_with_its_report_and_what_it_measured(run, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--runs-dir", str(run.parent), "--bundle", str(out), "--quick"]
    assert main(["review", "look", *arguments]) == 0
    index = (out / "index.html").read_text(encoding="utf-8")
    for state in ("trained", "pruned", "int8"):
        assert f"<bdi>{state}</bdi>" in index
    assert "points" in index
    assert (out / "compare-1-2-3.html").is_file()
    assert "Ship " in (out / "report.html").read_text(encoding="utf-8")
    assert not any(path.name == "records.jsonl" for path in out.rglob("*"))


def test_a_run_without_graphs_says_what_to_do(run, capsys):
    for path in (run / "onnx").iterdir():
        path.unlink()
    assert main(["review", str(run), "--quick", "--bundle", "never"]) == 2
    assert "has no graph" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["nowhere.onnx"], "there is no such file"),
        (["model.bin"], "no run"),
        (["a.onnx", "run"], "ends in .onnx or .pt2"),
    ],
)
def test_what_cannot_be_reviewed_is_told(arguments, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.onnx").write_bytes(b"")
    assert main(["review", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_broken_file_is_reviewed_as_far_as_it_goes(tmp_path, capsys):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no graph at all")
    assert main(["review", str(path), "--bundle", str(tmp_path / "out")]) == 0
    assert "broken.onnx" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_a_netron_of_the_users_own_still_opens_the_graph(graphs):
    """`netron FILE` on the same file: one file, with all its weights in it."""
    script = (
        "import netron, sys, urllib.request;"
        "host, port = netron.serve(sys.argv[1], None, address=('127.0.0.1', 0), browse=False);"
        "print(port, flush=True); sys.stdin.read()"
    )
    done = subprocess.Popen(
        [sys.executable, "-c", script, graphs["helper"]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ},
    )  # fmt: skip
    try:
        port = next(int(line) for line in done.stdout if line.strip().isdigit())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert b'name="file"' in answer.read()
    finally:
        done.stdin.close()
        done.terminate()
        done.wait()
