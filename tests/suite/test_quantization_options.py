"""`--max-drop` and `--sensitivity`: what they accept, and that a state made for one limit is not taken for another."""

from __future__ import annotations

import math

import pytest

from bench.tune.command import drop_of
from suite.catalog import CatalogError
from suite.options import Asked, resolve
from suite.states.store import asked_of_quantization
from suite.worker.job_options import JobOptions


def options_of(**asked):
    return resolve(
        Asked(models=("mlp",), size="tiny", **asked), num_gpus=0, num_cores=1
    ).job_options


@pytest.mark.parametrize("value", [-0.5, math.nan, math.inf])
def test_a_drop_that_is_no_limit_is_refused_by_name(value):
    with pytest.raises(CatalogError, match=r"--max-drop .*: expected points of 0 or more"):
        options_of(max_drop=value)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_seconds_that_are_none_are_refused_by_name(value):
    with pytest.raises(CatalogError, match=r"--sensitivity .*: expected seconds"):
        options_of(sensitivity=value)


def test_what_was_asked_reaches_the_workers_and_the_run_that_is_resumed():
    options = options_of(max_drop=0.0, sensitivity=20.0)
    assert (options.max_drop, options.sensitivity) == (0.0, 20.0)
    assert options.asked()["max_drop"] == 0.0
    assert JobOptions.from_dict(options.as_dict()) == options


def test_a_state_for_one_limit_is_none_for_another_and_the_records_own_is_as_ever():
    assert asked_of_quantization(options_of()) == {}
    assert asked_of_quantization(options_of(max_drop=0.0)) == {"max_drop": 0.0}
    assert asked_of_quantization(options_of(sensitivity=20.0)) == {"sensitivity": 20.0}


def test_tune_aims_at_the_users_limit_and_at_the_records_where_none_was_given():
    assert drop_of(0.5) == 0.5
    assert drop_of(1.0) is None
    assert drop_of(-1.0) is None, "a better model than eager is nothing to quantize towards"
