"""A damaged file is one sentence or a report of what is left of it: never a traceback."""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import bounded, damaged_bytes, damaged_json

from bench.fleet.errors import FleetError
from bench.fleet.state import load_fleet
from bench.gate.errors import GateError
from bench.gate.thresholds import EXAMPLE, load_thresholds
from bench.history.benchmark_file import read_file
from bench.history.errors import HistoryError
from bench.report.markdown import to_markdown
from bench.summary.build import build_report
from diagnostics.explain import explain
from diagnostics.lint.cli import judge_target
from diagnostics.model.inspection import inspect
from suite.catalog import CatalogError, must_parse
from suite.data import coco, imdb
from suite.data.errors import DataError
from suite.runs.load import load_run

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests/bench/files/run-of-schema-1"
GRAPH = ROOT / "tests/bench/files/digits-skl2onnx.onnx"
RECORDS = [(ROOT / "tests/suite/files/records-schema-1.jsonl").read_bytes()]
LINES = [line for line in RECORDS[0].splitlines() if line][:40]


@cache
def folder() -> Path:
    """One folder for all examples of a process; every example writes its file anew."""
    return Path(tempfile.mkdtemp(prefix="vitals-faults-"))


@pytest.fixture(scope="module", autouse=True)
def removed():
    yield
    shutil.rmtree(folder(), ignore_errors=True)
    folder.cache_clear()


def written(name: str, data: bytes) -> Path:
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@contextmanager
def refused_as(*errors: type[Exception]) -> Iterator[None]:
    """What is inside may end with one of these errors alone, whose text is a sentence for a reader."""
    try:
        yield
    except errors as error:
        text = str(error)
        if len(text) < 10 or "Traceback" in text:
            raise AssertionError(f"no sentence: {text!r}") from error


@given(data=st.one_of(damaged_bytes(RECORDS), damaged_json(LINES)))
@bounded(150)
def test_records(data):
    run = written("run/records.jsonl", data).parent
    text = to_markdown(build_report(load_run(run)))
    assert "\x1b" not in text


@pytest.mark.parametrize("name", ["run.json", "environment.json"])
def test_the_other_files_of_a_run(name):
    whole = folder() / "whole"
    shutil.copytree(RUN, whole, dirs_exist_ok=True)
    source = [(RUN / name).read_bytes()]

    @given(data=st.one_of(damaged_bytes(source), damaged_json(source)))
    @bounded(80)
    def check(data):
        (whole / name).write_bytes(data)
        to_markdown(build_report(load_run(whole)))

    check()


FLEET = [json.dumps({"name": "one", "runs": {"amx": "a"}, "left_out": {"host": "why"}}).encode()]


@given(data=st.one_of(damaged_bytes(FLEET), damaged_json(FLEET)))
@bounded(150)
def test_a_fleets_file(data):
    written("fleets/one/fleet.json", data)
    with refused_as(FleetError):
        load_fleet(folder(), "")


BENCHMARK = [
    json.dumps(
        {
            "datetime": "2026-01-02T03:04:05+00:00",
            "commit_info": {"id": "a" * 40, "branch": "main", "dirty": False},
            "machine_info": {
                "node": "n",
                "cpu": {"brand_raw": "x", "count": 2},
                "python_version": "3",
            },
            "benchmarks": [
                {
                    "name": "test_a",
                    "fullname": "tests/a.py::test_a",
                    "group": None,
                    "params": {"n": 1},
                    "extra_info": {},
                    "stats": {"data": [0.1, 0.2], "min": 0.1, "median": 0.15, "rounds": 2},
                }
            ],
        }
    ).encode()
]


@given(data=st.one_of(damaged_bytes(BENCHMARK), damaged_json(BENCHMARK)))
@bounded(150)
def test_a_file_of_pytest_benchmark(data):
    path = written("benchmark.json", data)
    with refused_as(HistoryError):
        read_file(path)


@given(data=damaged_bytes([EXAMPLE.encode()]))
@bounded(150)
def test_thresholds(data):
    path = written("pyproject.toml", data)
    with refused_as(GateError):
        load_thresholds(path)


@given(
    data=damaged_bytes([b"from vitals.spec import ModelSpec\nMODELS = (ModelSpec(name='a'),)\n"])
)
@bounded(150)
def test_a_models_file(data):
    path = written("my_models.py", data)
    with refused_as(CatalogError):
        must_parse(path, option="--models-from")


REQUIREMENTS = [
    b"torch==2.11.0\ntorchvision>=0.26 ; python_version<'3.13'\n--extra-index-url https://x/whl/cu130\n",
    b"-r other.txt\nnumpy<2\ntransformers[torch]==5.17 --hash=sha256:00\n",
]


@given(data=damaged_bytes(REQUIREMENTS))
@bounded(150)
def test_a_file_of_requirements(data):
    path = written("requirements.txt", data)
    with refused_as(OSError, ValueError):
        judge_target(str(path), "3.12")


LOG = [
    b'Traceback (most recent call last):\n  File "a.py", line 1\nRuntimeError: CUDA error: no kernel image is'
    b" available for execution on the device\nImportError: libcudnn.so.9: cannot open shared object file\n"
]


@given(data=damaged_bytes(LOG))
@bounded(100)
def test_an_error_log(data):
    explain(data.decode("utf-8", "replace"))


def _safetensors() -> bytes:
    head = json.dumps({"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(16)


@pytest.mark.parametrize(
    "name, source", [("m.onnx", GRAPH.read_bytes()), ("m.safetensors", _safetensors())]
)
def test_a_model_for_the_doctor(name, source):
    @given(data=damaged_bytes([source]))
    @bounded(100)
    def check(data):
        assert inspect(written(name, data))

    check()


@pytest.mark.heavy
def test_a_graph():
    from bench.onnx_graph.errors import GraphError
    from bench.onnx_graph.read import read

    @given(data=damaged_bytes([GRAPH.read_bytes()]))
    @bounded(60)
    def check(data):
        path = written("g.onnx", data)
        with refused_as(GraphError):
            read(path)

    check()


REVIEWS = [b'review,sentiment\n"a good, long film",positive\nbad,negative\n']


@given(data=damaged_bytes(REVIEWS))
@bounded(150)
def test_a_table_of_reviews(data):
    path = written("IMDB Dataset.csv", data)
    with refused_as(DataError):
        imdb.check(path)


PICTURES = [
    json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.jpg", "width": 4, "height": 4}],
            "annotations": [
                {
                    "id": 1,
                    "image_id": 1,
                    "category_id": 1,
                    "bbox": [0, 0, 2, 2],
                    "area": 4,
                    "iscrowd": 0,
                    "segmentation": [[0, 0, 2, 0, 2, 2]],
                }
            ],
            "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}],
        }
    ).encode()
]


@given(data=st.one_of(damaged_bytes(PICTURES), damaged_json(PICTURES)))
@bounded(150)
def test_annotations_of_coco(data):
    top = folder() / "coco"
    for part in ("train2017", "val2017"):
        (top / part).mkdir(parents=True, exist_ok=True)
        (top / part / "a.jpg").write_bytes(b"\xff\xd8")
        written(f"coco/annotations/instances_{part}.json", data)
    with refused_as(DataError):
        coco.check(top)


@pytest.mark.parametrize(
    "changed",
    [{"data": 7}, {"data": [":"]}, {"rounds": "x"}, {"iterations": 1e400}, {"data": [None]}],
)
def test_samples_of_a_benchmark_that_are_no_numbers_are_named(changed):
    document = json.loads(BENCHMARK[0])
    document["benchmarks"][0]["stats"] |= changed
    path = written("benchmark.json", json.dumps(document).encode())
    with pytest.raises(HistoryError, match="benchmark 1 has samples or rounds that are no numbers"):
        read_file(path)
