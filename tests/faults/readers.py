"""Every reader of files that others have written, with a whole file of each kind and the errors that it may raise.

One table for hypothesis (test_mutated_inputs.py) and for coverage-guided fuzzing (fuzz.py).
"""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests/bench/files/run-of-schema-1"
GRAPH = ROOT / "tests/bench/files/digits-skl2onnx.onnx"
RECORDS = (ROOT / "tests/suite/files/records-schema-1.jsonl").read_bytes()
LINES = tuple(line for line in RECORDS.splitlines() if line)[:40]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What reads one kind of file."""

    name: str
    sources: Sequence[bytes]
    read: Callable[[bytes], None]
    """Writes the bytes where such a file lies and reads it; an AssertionError when what it gives is wrong."""
    errors: Callable[[], tuple[type[Exception], ...]] = tuple
    """The errors that a user may see, in one sentence."""
    is_json: bool = False
    grows: Callable[[int], bytes] | None = None
    """Makes a whole file of about so many bytes."""


@cache
def folder() -> Path:
    """One folder for all examples of a process; every example writes its file anew."""
    return Path(tempfile.mkdtemp(prefix="vitals-faults-"))


def remove_folder() -> None:
    shutil.rmtree(folder(), ignore_errors=True)
    folder.cache_clear()


def written(name: str, data: bytes) -> Path:
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def accept(reader: Reader, data: bytes) -> bool:
    """Read; True = there was something to read, False = refused in a sentence. Anything else is an error here."""
    try:
        reader.read(data)
    except reader.errors() as error:
        text = str(error)
        if len(text) < 10 or "Traceback" in text:
            raise AssertionError(f"{reader.name}: no sentence: {text!r}") from error
        return False
    return True


# Runs, reports and what lies beside them


def _records(data: bytes) -> None:
    from bench.report.markdown import to_markdown
    from bench.summary.build import build_report
    from suite.runs.load import load_run

    text = to_markdown(build_report(load_run(written("run/records.jsonl", data).parent)))
    assert "\x1b" not in text


def _part_of_run(name: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        from bench.report.markdown import to_markdown
        from bench.summary.build import build_report
        from suite.runs.load import load_run

        whole = folder() / f"whole-{name}"
        if not whole.exists():
            shutil.copytree(RUN, whole)
        (whole / name).write_bytes(data)
        to_markdown(build_report(load_run(whole)))

    return read


def _many_records(num_bytes: int) -> bytes:
    first = json.loads(LINES[0])
    lines, size = [], 0
    while size < num_bytes:
        first["cell"]["batch"] = len(lines) + 1
        lines.append(json.dumps(first).encode())
        size += len(lines[-1]) + 1
    return b"\n".join(lines) + b"\n"


def _fleet(data: bytes) -> None:
    from bench.fleet.state import load_fleet

    written("fleets/one/fleet.json", data)
    load_fleet(folder(), "")


def _fleet_errors() -> tuple[type[Exception], ...]:
    from bench.fleet.errors import FleetError

    return (FleetError,)


def _verdict(data: bytes) -> None:
    from bench.summary.verdicts import newest_gate

    written("out/gates/20260101-000000-aaaa/verdict.json", data)
    newest_gate(folder() / "out" / "runs" / "one", "a" * 40)


def _anatomy(suffix: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        from bench.graph_analysis.folder import load_anatomies
        from bench.report.html import to_html
        from bench.summary.build import build_report
        from suite.runs.load import load_run

        whole = folder() / f"anatomy{suffix}"
        if not whole.exists():
            shutil.copytree(RUN, whole)
            (whole / "anatomy").mkdir()
        (whole / "anatomy" / f"mlp-tiny{suffix}").write_bytes(data)
        (whole / "anatomy" / "mlp-tiny.svg").write_text("<svg></svg>")
        to_html(build_report(load_run(whole)), anatomies=load_anatomies(whole))

    return read


def _attachment(data: bytes) -> None:
    from bench.review.graphs import Exhibit, Room
    from bench.review.site import netron_answers

    numbers = written("review/m.metrics.json", data)
    exhibit = Exhibit(
        number=1, path=GRAPH, name="m", state="", files=(GRAPH,), stem="", attachment=numbers
    )
    room = Room(number=1, title="m", size="", exhibits=(exhibit,))
    answer = netron_answers((room,), ())["netron/models/1/numbers.json"]
    assert answer.kind == "application/json"  # whatever is in it, a browser takes it for no page


# History and gate


def _benchmark(data: bytes) -> None:
    from bench.history.benchmark_file import read_file

    read_file(written("benchmark.json", data))


def _history_errors() -> tuple[type[Exception], ...]:
    from bench.history.errors import HistoryError

    return (HistoryError,)


def _thresholds(data: bytes) -> None:
    from bench.gate.thresholds import load_thresholds

    load_thresholds(written("pyproject.toml", data))


def _gate_errors() -> tuple[type[Exception], ...]:
    from bench.gate.errors import GateError

    return (GateError,)


def _selftest(data: bytes) -> None:
    from bench.gate.selftest_history import _path, load_history

    path = _path(folder() / "selftest", "machine", "quick")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    history, _ = load_history(folder() / "selftest", "machine", "quick")
    assert 0 <= history.false_alarm_bound <= 1


# Stores of graphs and states


def _cache_entry(data: bytes) -> None:
    from suite.stages.export import cache

    entry = written("cache/m-0.json", data)
    (folder() / "cache" / "m-0.onnx").write_bytes(b"graph")
    cache.load(entry, "key", folder() / "taken.onnx")


def _state(data: bytes) -> None:
    from suite.states import entries

    place = folder() / "states" / ("m-" + "0" * 24)
    place.mkdir(parents=True, exist_ok=True)
    (place / "manifest.json").write_bytes(data)
    (place / "w").write_bytes(b"weights")
    entries.find(folder() / "states", "m", "0" * 64)
    entries.newest_parts(folder() / "states", "m")


# What the doctor and the catalogue are given


def _models_file(data: bytes) -> None:
    from suite.catalog import must_parse

    must_parse(written("my_models.py", data), option="--models-from")


def _catalog_errors() -> tuple[type[Exception], ...]:
    from suite.catalog import CatalogError

    return (CatalogError,)


def _requirements(name: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        from diagnostics.lint.cli import judge_target

        judge_target(str(written(f"lint-{name}/{name}", data)), "3.12")

    return read


def _log(data: bytes) -> None:
    from diagnostics.explain import explain

    explain(data.decode("utf-8", "replace"))


def _inspected(name: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        from diagnostics.model.inspection import inspect

        assert inspect(written(name, data))

    return read


# Graphs


def _graph(data: bytes) -> None:
    from bench.onnx_graph.read import read

    read(written("g.onnx", data))


def _graph_errors() -> tuple[type[Exception], ...]:
    from bench.onnx_graph.errors import GraphError

    return (GraphError,)


def _files_beside(data: bytes) -> None:
    from bench.onnx_graph.external import files_of

    files_of(written("beside/g.onnx", data))


def _program(data: bytes) -> None:
    from bench.netron.program import program_of, steps_of_program

    path = written("p.pt2", data)
    program_of(path)
    steps_of_program(path)


def _picture_errors() -> tuple[type[Exception], ...]:
    from bench.netron.errors import PictureError

    return (PictureError,)


# Data sets


def _reviews(data: bytes) -> None:
    from suite.data import imdb

    imdb.check(written("imdb.csv", data))


def _data_errors() -> tuple[type[Exception], ...]:
    from suite.data.errors import DataError

    return (DataError,)


def _coco(data: bytes) -> None:
    from suite.data import coco

    top = folder() / "coco"
    for part in ("train2017", "val2017"):
        (top / part).mkdir(parents=True, exist_ok=True)
        (top / part / "a.jpg").write_bytes(b"\xff\xd8")
        written(f"coco/annotations/instances_{part}.json", data)
    coco.check(top)


def _picture(suffix: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        from suite.data.pictures import check_picture, decode

        path = written(f"picture{suffix}", data)
        check_picture(path)
        decode(path)

    return read


# Whole files


def _safetensors(num_bytes: int = 16) -> bytes:
    many = num_bytes // 4
    head = {"a": {"dtype": "F32", "shape": [many], "data_offsets": [0, many * 4]}}
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + bytes(many * 4)


def _pt2() -> bytes:
    node = {
        "target": "torch.ops.aten.linear.default",
        "inputs": [{"name": "x", "arg": {"as_tensor": {"name": "x"}}}],
        "outputs": [{"as_tensor": {"name": "y"}}],
        "metadata": {"nn_module_stack": "L__self__,,net.Net"},
    }
    graph = {"nodes": [node], "inputs": [{"as_tensor": {"name": "x"}}], "outputs": []}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/archive_format", "pt2")
        archive.writestr("m/version", "1")
        archive.writestr(
            "m/models/model.json", json.dumps({"graph_module": {"graph": graph}}).encode()
        )
        archive.writestr("m/data/weights/weight_0", bytes(64))
    return out.getvalue()


def _image(kind: str) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.radial_gradient("L").resize((24, 24)).convert("RGB").save(out, kind)
    return out.getvalue()


def _whole_benchmark(num_rounds: int = 2) -> bytes:
    times = [0.1 + number * 1e-6 for number in range(num_rounds)]
    document = {
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
                "stats": {"data": times, "min": 0.1, "median": 0.15, "rounds": num_rounds},
            }
        ],
    }
    return json.dumps(document).encode()


def _whole_thresholds() -> bytes:
    from bench.gate.thresholds import EXAMPLE

    return EXAMPLE.encode()


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


COCO = {
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
VERDICT = {
    "base": {"label": "main", "sha": "b" * 40},
    "head": {"label": "HEAD", "sha": "a" * 40},
    "started_at": "2026-01-01T00:00:00+00:00",
    "summary": "1 row",
    "rows": [{"cell": "mlp", "verdict": "REGRESSED", "estimate": 0.1, "low": 0.05, "high": 0.2}],
}
DRAWN = {
    "width": 9,
    "height": 9,
    "num_nodes": 3,
    "is_summary": False,
    "coloured_by": "MACs",
    "stamp": "1",
}
STATE = {
    "schema": 2,
    "key": "0" * 64,
    "files": {"w": [7, "9f3d8e"]},
    "parts": {"a": "b"},
    "result": {},
}
CACHED = {"schema": 2, "key": "key", "num_bytes": 5, "sha256": "00", "stored": {}}
SELFTEST = {
    "schema": 1,
    "procedure": 1,
    "fingerprint": "machine",
    "runs": 1,
    "tallies": {"0": {"rows": 3, "regressed": 0}},
    "noise": {},
}
REQUIREMENTS = (
    b"torch==2.11.0\ntorchvision>=0.26 ; python_version<'3.13'\n--extra-index-url https://x/whl/cu130\n",
    b"-r other.txt\nnumpy<2\ntransformers[torch]==5.17 --hash=sha256:00\n",
)
PYPROJECT = (
    b'[project]\nname = "a"\nrequires-python = ">=3.11"\ndependencies = ["torch>=2.11", "numpy"]\n'
)
CONDA = b"name: a\nchannels: [conda-forge]\ndependencies:\n  - python=3.12\n  - pytorch\n  - pip:\n    - torch==2.1\n"
DOCKER = b"FROM nvidia/cuda:12.1-runtime\nRUN pip install torch==2.1 --index-url https://x\n"
LOG = (
    b'Traceback (most recent call last):\n  File "a.py", line 1\nRuntimeError: CUDA error: no kernel image is'
    b" available for execution on the device\nImportError: libcudnn.so.9: cannot open shared object file\n"
)
REVIEWS = (
    b"text,label,split\n"
    b'"a good, long film",1,train\nbad,0,train\n"a better, longer film",pos,test\nworse,neg,test\n'
)
MODELS = b"from vitals.spec import ModelSpec\nMODELS = (ModelSpec(name='a'),)\n"


def readers() -> tuple[Reader, ...]:
    """The table."""
    lint = {
        "requirements.txt": REQUIREMENTS,
        "pyproject.toml": (PYPROJECT,),
        "environment.yml": (CONDA,),
        "Dockerfile": (DOCKER,),
    }
    data_errors = _data_errors
    return (
        Reader(name="records", sources=(RECORDS,), read=_records, grows=_many_records),
        Reader(name="a record", sources=LINES, read=_records, is_json=True),
        *(
            Reader(
                name=name,
                sources=((RUN / name).read_bytes(),),
                read=_part_of_run(name),
                is_json=True,
            )
            for name in ("run.json", "environment.json")
        ),
        Reader(
            name="fleet.json",
            sources=(_dumped({"name": "one", "runs": {"amx": "a"}, "left_out": {"host": "why"}}),),
            read=_fleet,
            errors=_fleet_errors,
            is_json=True,
        ),
        Reader(name="verdict.json", sources=(_dumped(VERDICT),), read=_verdict, is_json=True),
        Reader(
            name="picture.json",
            sources=(_dumped(DRAWN),),
            read=_anatomy(".picture.json"),
            is_json=True,
        ),
        Reader(name="anatomy", sources=(b"{}",), read=_anatomy(".json"), is_json=True),
        Reader(
            name="difference",
            sources=(_dumped({"summary": "same", "nodes": []}),),
            read=_anatomy("--mlp-tiny-int8.difference.json"),
            is_json=True,
        ),
        Reader(
            name="Netron attachment",
            sources=(_dumped({"signature": "netron:attachment", "metadata": [], "metrics": []}),),
            read=_attachment,
            is_json=True,
        ),
        Reader(
            name="pytest-benchmark",
            sources=(_whole_benchmark(),),
            read=_benchmark,
            errors=_history_errors,
            is_json=True,
            grows=lambda size: _whole_benchmark(size // 20),
        ),
        Reader(
            name="thresholds",
            sources=(_whole_thresholds(),),
            read=_thresholds,
            errors=_gate_errors,
        ),
        Reader(name="self-tests", sources=(_dumped(SELFTEST),), read=_selftest, is_json=True),
        Reader(name="export cache", sources=(_dumped(CACHED),), read=_cache_entry, is_json=True),
        Reader(name="state manifest", sources=(_dumped(STATE),), read=_state, is_json=True),
        Reader(name="models file", sources=(MODELS,), read=_models_file, errors=_catalog_errors),
        *(
            Reader(
                name=name,
                sources=sources,
                read=_requirements(name),
                errors=lambda: (OSError, ValueError),
            )
            for name, sources in lint.items()
        ),
        Reader(
            name="error log", sources=(LOG,), read=_log, grows=lambda size: LOG * (size // len(LOG))
        ),
        Reader(name="doctor: onnx", sources=(GRAPH.read_bytes(),), read=_inspected("m.onnx")),
        Reader(
            name="doctor: safetensors",
            sources=(_safetensors(),),
            read=_inspected("m.safetensors"),
            grows=_safetensors,
        ),
        Reader(name="doctor: pt2", sources=(_pt2(),), read=_inspected("m.pt2")),
        Reader(name="graph", sources=(GRAPH.read_bytes(),), read=_graph, errors=_graph_errors),
        Reader(
            name="files of a graph",
            sources=(GRAPH.read_bytes(),),
            read=_files_beside,
            errors=_graph_errors,
        ),
        Reader(name="program", sources=(_pt2(),), read=_program, errors=_picture_errors),
        Reader(
            name="reviews",
            sources=(REVIEWS,),
            read=_reviews,
            errors=data_errors,
            grows=lambda size: REVIEWS + b"a good film,1,train\n" * (size // 20),
        ),
        Reader(name="COCO", sources=(_dumped(COCO),), read=_coco, errors=data_errors, is_json=True),
        Reader(name="JPEG", sources=(_image("JPEG"),), read=_picture(".jpg"), errors=data_errors),
        Reader(name="PNG", sources=(_image("PNG"),), read=_picture(".png"), errors=data_errors),
    )


def slug(name: str) -> str:
    return re.sub(r"\W+", "-", name)
