"""Training health: every sign is seen where it is, and none where nothing is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.training.health import LOOKS, Signs, diagnose, smoothed

HEALTHY = Signs(
    losses=[2.0 * 0.97**i for i in range(60)],
    norms=[1.0] * 60,
    validation=[(30, 1.0), (60, 0.5)],
    waiting=0.1,
    gradients={"a": 1e-3, "b": 1e-2},
    dead={"relu": 0.1},
    other_seed=(1.0, 1.1),
)

CASES = {
    "overfitting": {"validation": [(20, 0.6), (40, 1.5), (60, 2.5)]},
    "no-convergence": {"losses": [2.0] * 60, "validation": ()},
    "exploding-gradients": {"norms": [1.0] * 59 + [500.0]},
    "vanishing-gradients": {"gradients": {"first": 1e-9, "last": 1e-2}},
    "dead-units": {"dead": {"relu": 0.9}},
    "no-gradient": {"without_gradient": ["unused.weight"]},
    "data-loader-bound": {"waiting": 0.8},
    "unstable-across-seeds": {"other_seed": (1.0, 2.0)},
}


def test_a_healthy_training_has_no_finding():
    assert diagnose(HEALTHY) == []


@pytest.mark.parametrize("code", CASES)
def test_each_sign_is_seen_alone_and_comes_with_a_cure(code):
    found = diagnose(replace(HEALTHY, **CASES[code]))
    assert [sign.code for sign in found] == [code]
    assert found[0].summary
    assert found[0].cure


def test_samples_learned_by_heart_are_overfitting_although_the_validation_loss_never_rose():
    losses = [0.9 * 0.93**i for i in range(60)]
    found = diagnose(replace(HEALTHY, losses=losses, validation=[(30, 0.76), (60, 0.74)]))
    assert [sign.code for sign in found] == ["overfitting"]
    assert "validation loss 0.74 against training loss 0.0" in found[0].summary


def test_a_gap_between_two_losses_that_are_both_small_is_no_finding():
    losses = [2.0 * 0.9**i for i in range(60)]
    assert diagnose(replace(HEALTHY, losses=losses, validation=[(30, 0.2), (60, 0.1)])) == []


def test_every_look_has_a_case():
    assert len(CASES) == len(LOOKS)


def test_a_norm_that_is_no_number_is_an_explosion():
    found = diagnose(replace(HEALTHY, norms=[1.0, float("inf")]))
    assert [sign.code for sign in found] == ["exploding-gradients"]


def test_the_losses_of_a_game_are_not_judged_as_progress():
    assert diagnose(replace(HEALTHY, losses=[2.0] * 60, plays=True)) == []


def test_smoothing_takes_both_ends():
    assert smoothed([4.0, 2.0, 2.0, 0.0], window=2) == (3.0, 1.0)
    assert smoothed([5.0]) == (5.0, 5.0)
