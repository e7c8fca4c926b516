"""What an export's cache key depends on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.cell import Cell
from suite.data.sources import Source
from suite.spec import Export, ModelSpec, Size, Tolerance
from suite.stages.export.cache import key_of
from suite.stages.export.ingredients import ingredients_of, source_files, versions, weights_of
from suite.worker.protocol import Job


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
JOB = Job(runner="", cell=Cell(model="net", size="tiny", backend="onnxruntime"))


def key(job=JOB, spec=SPEC, source=SOURCE):
    return key_of(ingredients_of(job, spec, source))


def test_the_same_export_has_the_same_key():
    assert key() == key(Job.from_json(JOB.to_json()))


@pytest.mark.parametrize(
    "other",
    [
        {"job": replace(JOB, options={"seed": 1})},
        {"job": replace(JOB, options={"threads": 3})},
        {"job": replace(JOB, options={"weights": "pretrained"})},
        {"job": replace(JOB, cell=replace(JOB.cell, batch=2))},
        {"spec": replace(SPEC, name="web")},
        {"spec": replace(SPEC, sizes={"tiny": Size(build={"width": 3})})},
        {"spec": replace(SPEC, outputs=("score",))},
        {"spec": replace(SPEC, tolerance=Tolerance(atol=1.0))},
        {"spec": replace(SPEC, export=Export(dynamic={"x": {0: "batch"}}))},
        {"source": Source(kind="image", name="cifar10")},
        {"source": Source(kind="image", name="digits", root="elsewhere")},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_export_has_another_key(other):
    assert key(**other) != key()


def test_a_users_file_and_its_neighbours_are_part_of_the_key(tmp_path):
    own, net = tmp_path / "my_models.py", tmp_path / "net.py"
    own.write_text("MODELS = ()")
    net.write_text("width = 1")
    job = replace(JOB, options={"models_from": str(own)})
    first = key(job)
    assert first == key(job)
    net.write_text("width = 2")
    second = key(job)
    own.write_text("MODELS = []")
    assert len({first, second, key(job)}) == 3


def test_weights_from_a_folder_are_known_by_size_and_time_of_change(tmp_path):
    file = tmp_path / "net.safetensors"
    file.write_bytes(b"1234")
    first = weights_of(str(tmp_path))
    file.write_bytes(b"12345")
    assert weights_of(str(tmp_path)) != first
    assert weights_of("random") == "random"


def test_the_source_holds_the_record_the_nets_the_tasks_and_the_exporter():
    from suite.models import classic

    labels = source_files(classic.MODELS[0], None)
    for expected in (
        "suite.models.classic",
        "suite/stages/export/recipes.py",
        "suite/tasks/batch.py",
        "suite/nets/mlp.py",
        "suite/data/samples.py",
        "suite/spec.py",
        "build",
    ):
        assert labels[expected].is_file()


def test_one_family_does_not_depend_on_another():
    from suite.models import classic, text

    assert text.MODELS
    assert "suite.models.text" not in source_files(classic.MODELS[0], None)


def test_versions_are_those_installed_and_absent_packages_are_left_out():
    from importlib.metadata import version

    found = versions(("pytest", "no-such-package-here"))
    assert found["pytest"] == version("pytest")
    assert set(found) == {"python", "pytest"}
