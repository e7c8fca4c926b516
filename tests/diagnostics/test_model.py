"""Facts about the judge of model files."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics.finding import Level
from diagnostics.model import limits, onnx_file, safetensors_file, wire
from diagnostics.model.cli import main
from diagnostics.model.content import sniff
from diagnostics.model.inspection import inspect

OWN = b"\xca\x01\x08\x0a\x01F\x52\x03own"
"""A function F of the domain own, as the field 25 of a model."""

PROGRAM = "import onnxruntime as o, sys; o.InferenceSession(sys.argv[1])"


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def external(location: str, length: int, offset: int = 0) -> bytes:
    pairs = (("location", location), ("offset", str(offset)), ("length", str(length)))
    entries = (message(13, message(1, k.encode()) + message(2, v.encode())) for k, v in pairs)
    return message(
        5, number(1, 1) + message(8, b"w") + number(2, 1) + b"".join(entries) + number(14, 1)
    )


def model(
    ir: int = 8,
    opset: int = 17,
    op: str = "Relu",
    domain: str = "",
    tensors: bytes = b"",
    functions: bytes = b"",
) -> bytes:
    node = message(1, b"w" if tensors else b"x") + message(2, b"y") + message(4, op.encode())
    node += message(7, domain.encode()) if domain else b""
    kind = message(2, message(1, number(1, 1)))
    ends = message(11, message(1, b"x") + kind) + message(12, message(1, b"y") + kind)
    graph = message(7, message(1, node) + message(2, b"g") + tensors + ends)
    opsets = message(8, number(2, opset))
    return number(1, ir) + message(2, b"tests") + graph + opsets + functions


def codes(path: Path, runtime: str | None = "1.17.0") -> list[str]:
    return [item.code for item in inspect(path, runtime=runtime)]


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_a_whole_model_is_fine(tmp_path: Path) -> None:
    found = inspect(write(tmp_path, "m.onnx", model()), runtime="1.17.0")
    assert [(item.code, item.level) for item in found] == [("model-ok", Level.OK)]
    assert "IR 8, opset 17, 1 nodes" in found[0].summary
    assert "by tests" in found[0].summary


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("m.onnx", b"", "model-empty"),
        ("m.onnx", b"\0" * 5000, "model-zeros"),
        ("m.onnx", b"version https://git-lfs.github.com/spec/v1\noid x\nsize 99\n", "lfs-pointer"),
        ("m.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "lfs-pointer"),
        ("m.pt2", b"<!DOCTYPE html><html><title>Sign in</title></html>", "model-web-page"),
        ("m.onnx", b'{"error": "Repository not found"}', "model-web-page"),
        ("m.onnx", b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "model-web-page"),
        ("m.onnx", b"Entry not found", "model-web-page"),
        ("m.onnx", b"just some text, no model", "model-not-onnx"),
        ("m.onnx", b"\x1f\x8b\x08\x00 gzip", "model-other-format"),
        ("m.onnx", b"\x1c\0\0\0TFL3 more", "model-other-format"),
        ("m.onnx", b"GGUF\x03\0\0\0", "model-other-format"),
        ("m.onnx", model()[:-9], "model-truncated"),
        ("m.onnx", model()[:20], "model-truncated"),
        ("m.onnx", number(1, 8) + message(2, b"p"), "model-not-onnx"),
        ("m.onnx", model(ir=99), "ort-ir-too-new"),
        ("m.onnx", model(opset=21), "opset-too-new"),
        ("m.onnx", model(domain="my.ops", op="Fast"), "ort-unknown-op"),
        ("m.onnx", number(1, 8) + message(7, message(1, message(4, b"Relu"))), "onnx-no-opset"),
        ("m.onnx", model(tensors=external("gone.bin", 4)), "external-data-missing"),
        ("m.onnx", model(tensors=external("here.bin", 999)), "external-data-short"),
        ("m.onnx", model(tensors=external("here.bin", 4, 10)), "external-data-short"),
        ("m.onnx", model(tensors=external("../up.bin", 4)), "external-data-outside"),
        ("m.onnx", model(tensors=external("/etc/passwd", 4)), "external-data-outside"),
        ("m.onnx", model(tensors=external("C:\\w.bin", 4)), "external-data-outside"),
        ("m.onnx", model(tensors=external("link.bin", 4)), "external-data-outside"),
        ("m.onnx", model(tensors=external("here.bin", 10)), "model-ok"),
        ("m.onnx", model(op="F", domain="own", functions=OWN), "model-ok"),
        ("m.pt", b"PK\x03\x04 and then nothing", "model-zip-damaged"),
        ("m.pt", b"neither zip nor pickle", "model-unknown"),
        ("m.pt", pickle.dumps({"a": [1.0] * 50}, 2)[:-9], "model-pickle-damaged"),
        ("m.pt", pickle.dumps({"a": 1}, 2), "model-pickle"),
        ("m.safetensors", b"\xff" * 40, "safetensors-header"),
        ("m.safetensors", b"\x10", "safetensors-truncated"),
    ],
)  # fmt: skip
def test_files(tmp_path: Path, name: str, data: bytes, code: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    write(tmp_path, "up.bin", b"0123456789")
    write(inner, "here.bin", b"0123456789")
    (inner / "link.bin").symlink_to(tmp_path / "up.bin")
    assert codes(write(inner, name, data))[0] == code


def test_the_pointer_says_how_large_the_file_should_be(tmp_path: Path) -> None:
    text = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456\n"
    found = inspect(write(tmp_path, "m.onnx", text))[0]
    assert "123,456 bytes" in found.summary
    assert found.fixes[0].argv == ("git", "lfs", "install")


def test_nested_graphs_and_attributes_are_walked() -> None:
    inner = message(1, message(4, b"Inner") + message(7, b"deep")) + external("w.bin", 8)
    attribute = message(5, message(6, inner))
    outer = message(7, message(1, message(4, b"If") + attribute))
    found = onnx_file.read(number(1, 8) + outer + message(8, number(2, 17)))
    assert ("deep", "Inner") in found.operators
    assert found.external[0].location == "w.bin"


def test_graphs_nested_without_end_are_damage_and_no_crash() -> None:
    inner = b""
    for _ in range(200):
        inner = message(1, message(5, message(6, inner)))
    assert "nested" in onnx_file.read(number(1, 8) + message(7, inner)).damage


@pytest.mark.parametrize("ok", [True, False])
def test_archives_are_read_to_their_sums(tmp_path: Path, ok: bool) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/data.pkl", b"x" * 1000)
        archive.writestr("m/version", b"3\n")
    data = buffer.getvalue() if ok else buffer.getvalue().replace(b"xxxx", b"xxxy", 1)
    found = inspect(write(tmp_path, "m.pt", data))[0]
    assert (found.code == "model-ok") is ok
    assert ("checkpoint" if ok else "m/data.pkl is damaged") in found.summary


def tensors(table: dict[str, object], data: bytes) -> bytes:
    header = json.dumps(table).encode()
    return len(header).to_bytes(8, "little") + header + data


@pytest.mark.parametrize(
    ("table", "size", "problem"),
    [
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, 8, ""),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, 5, "promises"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, 9, "more than"),
        ({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, 8, "its shape needs 12"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, 12, "expected 0"),
        ({"a": {"dtype": "NEW", "shape": [2], "data_offsets": [0, 3]}}, 3, ""),
        ({"a": {"dtype": "F32"}}, 0, "lacks"),
        ({"a": 7}, 0, "no object"),
        ({"__metadata__": {"format": "pt"}}, 0, ""),
    ],
)
def test_safetensors_headers(table: dict[str, object], size: int, problem: str) -> None:
    found = safetensors_file.read(tensors(table, b"\0" * size))
    assert problem in found.problem
    assert bool(problem) == bool(found.problem)


def test_a_file_written_by_safetensors_is_fine(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"a": np.zeros((2, 3), np.float16), "b": np.zeros(5)}, tmp_path / "m.safetensors")
    assert codes(tmp_path / "m.safetensors") == ["model-ok"]


def test_a_gigabyte_is_judged_in_half_a_second(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    size = 2**30
    tensor = varint(9 << 3 | 2) + varint(size)
    graph = message(1, message(1, b"x") + message(2, b"y") + message(4, b"Relu"))
    graph += message(11, message(1, b"x"))
    graph += varint(5 << 3 | 2) + varint(len(tensor) + size) + tensor
    head = number(1, 8) + message(8, number(2, 17)) + varint(7 << 3 | 2) + varint(len(graph) + size)
    with path.open("wb") as file:
        file.write(head + graph)
        file.truncate(len(head + graph) + size)
    start = time.perf_counter()
    assert codes(path) == ["model-ok"]
    assert time.perf_counter() - start < 0.5


def test_a_file_over_two_gibibytes_is_too_large_for_protobuf(tmp_path: Path) -> None:
    path = write(tmp_path, "m.onnx", model() + varint(6 << 3 | 2) + varint(2**31))
    os.truncate(path, path.stat().st_size + 2**31)
    assert codes(path) == ["onnx-too-large"]


def test_an_unknown_runtime_warns_only_beyond_everything_known(tmp_path: Path) -> None:
    assert codes(write(tmp_path, "a.onnx", model(ir=10, opset=21)), "1.29") == ["model-ok"]
    found = inspect(write(tmp_path, "b.onnx", model(ir=99)), runtime="1.29")
    assert (found[0].code, found[0].level) == ("ort-ir-too-new", Level.WARN)


def test_exit_codes_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(tmp_path, "g.onnx", model()), write(tmp_path, "b.onnx", b"")
    assert main([str(good)]) == 0
    assert main([str(good), str(bad)]) == 1
    assert main([str(tmp_path / "none.onnx")]) == 2
    assert main([]) == 2
    assert main([str(tmp_path)]) == 1
    capsys.readouterr()
    assert main([str(bad), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["findings"][0]["code"] == "model-empty"


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_no_bytes_break_the_walks(data: bytes) -> None:
    onnx_file.read(data)
    safetensors_file.read(data)
    sniff(data, len(data))


@given(st.integers(0, 120), st.binary(max_size=6))
@settings(max_examples=300, deadline=None)
def test_a_model_cut_or_altered_anywhere_breaks_nothing(cut: int, noise: bytes) -> None:
    data = model(tensors=external("w.bin", 4))
    found = onnx_file.read(data[:cut] + noise + data[cut + len(noise) :])
    assert found.damage or found.ir_version is None or isinstance(found.opsets, dict)


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 2**64 - 1)), max_size=8))
def test_numbers_come_back_from_the_wire(pairs: list[tuple[int, int]]) -> None:
    data = b"".join(number(field, value) for field, value in pairs)
    assert [(item.number, item.value) for item in wire.entries(data)] == pairs


@given(st.binary(max_size=300), st.sampled_from([".onnx", ".pt", ".safetensors", ".pt2"]))
@settings(max_examples=100, deadline=None)
def test_any_file_gets_a_verdict(data: bytes, suffix: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = inspect(write(Path(folder), f"m{suffix}", data))
        assert found
        assert all(item.summary for item in found)


def test_the_installed_runtime_refuses_what_is_called_too_new_and_is_explained(
    tmp_path: Path,
) -> None:
    """Runs ONNX Runtime in a child: its limits and its words are those of our tables."""
    runtime = limits.installed()
    known = limits.of(runtime) if runtime else None
    if known is None:
        pytest.skip(f"the limits of ONNX Runtime {runtime} are not known")
    ir, opset = known
    files = {
        "ort-ir-too-new": model(ir=ir + 1),
        "opset-too-new": model(opset=opset + 1),
        "model-truncated": model()[:-9],
        "external-data-missing": model(tensors=external("gone.bin", 4)),
        "external-data-outside": model(tensors=external("../up.bin", 4)),
    }
    from diagnostics.explain import explain

    for code, data in files.items():
        path = write(tmp_path, f"{code}.onnx", data)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        said = [item.code for item in explain(done.stderr)]
        assert done.returncode != 0
        assert said[:1] == [code], done.stderr[-400:]
        assert codes(path, runtime)[0] == code
