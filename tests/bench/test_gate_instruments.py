"""The worker side of the gate: agreement of two arms, facts, profiles, and controls that differ by what they say."""

import numpy as np
import pytest

from bench.gate import control_models as controls
from bench.instruments import agreement, model_specs, profile, static_facts
from bench.instruments.options import ModelSpecsOptions, OutputPair
from suite.cell import Cell
from suite.data.sources import sources_in
from suite.worker.job_options import JobOptions, Origin
from suite.worker.protocol import CellJob, Job


def silent(kind, /, **data):
    """An emit that nobody listens to."""


def job(model, *, models_from="", **options):
    common = JobOptions(models_from=models_from, sources=sources_in(None), threads=1)
    cell = Cell(model=model, size="tiny")
    return CellJob(runner="", cell=cell, options=common.extended(options))


@pytest.fixture
def pair(tmp_path):
    """`pair(base, head)`: the agreement of two lists of arrays."""

    def compared(base, head, rtol=1e-3, atol=1e-4):
        paths = {}
        for name, arrays in (("base", base), ("head", head)):
            paths[name] = str(tmp_path / f"{name}.npz")
            np.savez(paths[name], **{f"{i:04d}": np.asarray(a) for i, a in enumerate(arrays)})
        return agreement.agreement(OutputPair(key="k", rtol=rtol, atol=atol, **paths))

    return compared


def test_equal_outputs_agree_also_where_they_are_not_a_number(pair):
    assert pair([[1.0, np.nan]], [[1.0, np.nan]]).verdict == "passed"


def test_outputs_within_the_tolerance_agree_and_beyond_it_fail_with_the_difference(pair):
    assert pair([[1.0]], [[1.0005]]).verdict == "passed"
    found = pair([[1.0]], [[1.5]])
    assert found.verdict == "failed"
    assert found.max_abs == pytest.approx(0.5)
    assert "0.5" in found.reason


def test_a_number_that_became_nan_fails(pair):
    assert pair([[1.0]], [[np.nan]]).verdict == "failed"


def test_outputs_of_other_shapes_or_another_number_are_another_function(pair):
    assert pair([[1.0, 2.0]], [[1.0]]).verdict == "other"
    assert pair([[1.0]], [[1.0], [2.0]]).verdict == "other"


def test_outputs_that_cannot_be_read_fail(tmp_path):
    found = agreement.agreement(
        OutputPair(key="k", base=str(tmp_path / "no"), head=str(tmp_path / "no"), rtol=0, atol=0)
    )
    assert found.verdict == "failed"
    assert "cannot be read" in found.reason


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("model", "expected"), [("llama", 2 * 2 * 3 * 8 * 4), ("transformer", 2 * 2 * 64 * 4)]
)
def test_the_bytes_of_a_language_models_cache_are_among_the_facts(model, expected):
    found = static_facts.run(job(model), silent)
    values = {m.metric: m.samples[0] for m in found.measurements}
    assert values["kv_bytes_per_token"] == expected


@pytest.mark.heavy
def test_facts_of_one_process_hold_size_memory_and_outputs(tmp_path):
    target = tmp_path / "outputs.npz"
    found = static_facts.run(job("mlp", outputs=str(target)), silent)
    values = {m.metric: m.samples[0] for m in found.measurements}
    assert values["parameters"] == 784 * 16 + 16 + 16 * 10 + 10
    assert values["macs"] == 784 * 16 + 16 * 10
    assert {"peak_tensor_bytes", "peak_rss_delta"} <= set(values)
    assert "kv_bytes_per_token" not in values
    with np.load(target) as arrays:
        assert [arrays[name].shape for name in arrays.files] == [(1, 10)]


@pytest.mark.heavy
def test_a_profile_counts_the_calls_of_every_operator_per_pass():
    found = profile.run(job("mlp"), silent).result.operators
    seconds, calls = found["aten::addmm"]
    assert calls == 2
    assert seconds > 0


@pytest.mark.heavy
def test_an_arm_lists_its_own_records_and_says_which_it_lacks():
    asked = ModelSpecsOptions(models=("mlp", "nope", "my_file.build"))
    origin = Origin(text="python:my_file.py:build", spec={"name": "my_file.build", "sizes": {}})
    options = JobOptions(origins={"my_file.build": origin}).extended(asked)
    found = model_specs.run(Job(runner="", options=options), silent).result
    assert found.specs["mlp"]["name"] == "mlp"
    assert found.specs["my_file.build"] == origin.spec
    assert found.specs["nope"] is None
    assert "torch" in found.versions


@pytest.mark.heavy
@pytest.mark.parametrize("kind", list(controls.WORKLOADS))
def test_more_work_gives_the_same_outputs(kind, tmp_path):
    arrays = []
    for more in (0, 10):
        target = tmp_path / f"{more}.npz"
        name = controls.work_name(kind, more)
        static_facts.run(job(name, models_from=controls.__file__, outputs=str(target)), silent)
        with np.load(target) as found:
            arrays.append(found["0000"])
    assert np.array_equal(*arrays)


@pytest.mark.heavy
def test_more_work_is_as_many_more_calls():
    calls = {}
    for more in (0, 5):
        name = controls.work_name("compute", more)
        found = profile.run(job(name, models_from=controls.__file__), silent).result
        calls[more] = found.operators["aten::mm"][1]
    assert calls == {0: 20, 5: 21}


def test_an_element_near_zero_may_have_the_error_of_the_output_that_it_is_part_of(pair):
    base = np.random.default_rng(0).normal(size=(2, 1000)) * 100
    base[0, :5] = 1e-6
    assert pair([base], [base + 5e-3]).verdict == "passed"
    assert pair([base], [base + 0.5]).verdict == "failed"


def test_a_sample_of_small_numbers_is_held_against_its_own_scale(pair):
    base = np.random.default_rng(0).normal(size=(2, 1000)) * 100
    base[1] *= 1e-2
    wrong = base.copy()
    wrong[1] += 5e-3
    assert pair([base], [wrong], rtol=1e-3, atol=1e-5).verdict == "failed"


def test_labels_must_be_the_same(pair):
    assert pair([[1500.0, 3.0]], [[1501.0, 3.0]]).verdict == "failed"
