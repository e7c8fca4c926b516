"""A damaged file is one sentence or a report of what is left of it: no traceback, no hang, no heap of memory."""

from __future__ import annotations

import json

import pytest
from guards import Guard
from hypothesis import given
from hypothesis import strategies as st
from mutations import bounded, damaged_bytes, damaged_json
from readers import GRAPH, _benchmark, _whole_benchmark, accept, readers, remove_folder, slug

from bench.history.errors import HistoryError

pytestmark = pytest.mark.heavy

READERS = {slug(reader.name): reader for reader in readers()}


@pytest.fixture(scope="module", autouse=True)
def removed():
    yield
    remove_folder()


@pytest.mark.parametrize("name", READERS)
def test_a_whole_file_is_read(name):
    for source in READERS[name].sources:
        accept(READERS[name], source)


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file(name):
    reader = READERS[name]
    damage = damaged_bytes(reader.sources)
    if reader.is_json:
        damage = st.one_of(damage, damaged_json(reader.sources))
    for source in reader.sources[:1]:
        accept(reader, source)  # what is imported on the way is not the file's memory

    @given(data=damage)
    @bounded(40)
    def check(data):
        with Guard(reader.name, len(data)):
            accept(reader, data)

    check()


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.grows])
def test_a_large_file_takes_no_more_than_ten_times_its_size(name):
    reader = READERS[name]
    accept(reader, reader.grows(10_000))
    data = reader.grows(4_000_000)
    with Guard(reader.name, len(data)):
        accept(reader, data)


@pytest.mark.parametrize(
    "offset, value",
    [(45, 0xFF), (8, 99), (6, 1)],
    ids=["compressed bytes that are none", "another compression", "a password"],
)
def test_an_archive_that_cannot_be_unpacked_is_told(tmp_path, offset, value):
    from bench.netron.errors import NotDrawn
    from bench.netron.program import program_of, steps_of_program

    (whole,) = READERS["program"].sources
    data = bytearray(whole)
    start = data.index(b"PK\x03\x04", data.index(b"m/version") + 9)  # the header of the graph
    named = start + 30 + len("m/models/model.json")
    data[(named if offset == 45 else start + offset)] = value
    central = data.rindex(b"m/models/model.json") - 46
    if offset != 45:  # the directory at the end tells it too
        data[central + offset + 2] = value
    path = tmp_path / "p.pt2"
    path.write_bytes(data)
    for read in (program_of, steps_of_program):
        with pytest.raises(NotDrawn, match="expected a program that torch.export.save wrote"):
            read(path)


def test_a_graph_is_read_whose_import_of_operators_has_a_name_that_is_no_text():
    whole = GRAPH.read_bytes()
    imported = b"ai.onnx.ml\x10\x01"
    assert whole.endswith(imported)
    damaged = whole.removesuffix(imported) + b"ai.onnx\xbe\xaa<\x10\x01"
    assert accept(READERS["graph"], damaged)


def test_a_small_file_that_claims_a_huge_picture_takes_no_memory_for_it(tmp_path):
    from suite.data.errors import DataError
    from suite.data.pictures import decode

    (whole,) = READERS["JPEG"].sources
    start = whole.index(b"\xff\xc0") + 5  # height and width in the header of the frame
    assert whole[start : start + 4] == bytes((0, 24, 0, 24))
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[:start] + (6000).to_bytes(2, "big") * 2 + whole[start + 4 :])
    with Guard("JPEG", len(whole)), pytest.raises(DataError, match="6000 x 6000 pixels in"):
        decode(path)


@pytest.mark.parametrize(
    "changed",
    [{"data": 7}, {"data": [":"]}, {"rounds": "x"}, {"iterations": 1e400}, {"data": [None]}],
)
def test_samples_of_a_benchmark_that_are_no_numbers_are_named(changed):
    document = json.loads(_whole_benchmark())
    document["benchmarks"][0]["stats"] |= changed
    with pytest.raises(HistoryError, match="benchmark 1 has samples or rounds that are no numbers"):
        _benchmark(json.dumps(document).encode())
