"""What an export's cache key depends on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.cell import Cell
from suite.data.sources import Source
from suite.provenance import SUITE, key_of
from suite.spec import Export, ModelSpec, Size, Tolerance
from suite.stages.export.run import PARTS, ingredients_of
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob, Job


def build():
    return None


SPEC = ModelSpec(
    name="net",
    family="own",
    task="image_classification",
    build=build,
    sizes={"tiny": Size(build={"width": 2})},
    outputs=("logits",),
)
SOURCE = Source(kind="image", name="digits")
JOB = CellJob(runner="", cell=Cell(model="net", size="tiny", backend="onnxruntime"))


def key(job=JOB, spec=SPEC, source=SOURCE, state=""):
    return key_of(ingredients_of(job, spec, source, state))


def test_the_same_export_has_the_same_key():
    assert key() == key(Job.from_json(JOB.to_json()))


@pytest.mark.parametrize(
    "other",
    [
        {"job": replace(JOB, options=JobOptions.from_dict({"seed": 1}))},
        {"job": replace(JOB, options=JobOptions.from_dict({"threads": 3}))},
        {"job": replace(JOB, options=JobOptions.from_dict({"weights": "pretrained"}))},
        {"job": replace(JOB, cell=replace(JOB.cell, batch=2))},
        {"spec": replace(SPEC, name="web")},
        {"spec": replace(SPEC, sizes={"tiny": Size(build={"width": 3})})},
        {"spec": replace(SPEC, outputs=("score",))},
        {"spec": replace(SPEC, tolerance=Tolerance(atol=1.0))},
        {"spec": replace(SPEC, export=Export(dynamic={"x": {0: "batch"}}))},
        {"state": "0123"},
        {"source": Source(kind="image", name="cifar10")},
        {"source": Source(kind="image", name="digits", root="elsewhere")},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_export_has_another_key(other):
    assert key(**other) != key()


def test_a_users_file_and_what_it_imports_are_part_of_the_key_and_its_neighbours_are_not(tmp_path):
    own, net, other = (tmp_path / f"{name}.py" for name in ("my_models", "net", "other"))
    own.write_text("import net\nMODELS = ()")
    net.write_text("width = 1")
    other.write_text("width = 1")
    job = replace(JOB, options=JobOptions.from_dict({"models_from": str(own)}))
    first = key(job)
    assert first == key(job)
    other.write_text("width = 2")
    assert first == key(job)
    net.write_text("width = 2")
    second = key(job)
    own.write_text("import net\nWIDTH = 3\nMODELS = ()")
    assert len({first, second, key(job)}) == 3
    third = key(job)
    own.write_text("import net\nWIDTH = 3\nMODELS = (1,)  # another record")
    assert key(job) == third


def test_the_rule_of_parity_and_all_that_it_reads_are_part_of_the_key():
    assert {"stages/export", "tolerance.py", "results/export.py", "flat_tensors.py"} <= set(PARTS)
    assert all((SUITE / part).exists() for part in PARTS)
