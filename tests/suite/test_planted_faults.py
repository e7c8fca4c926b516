"""Planted faults in good graphs: a few of each kind that the whole table has (tests/suite/planted_faults.py)."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    from planted_faults import Subject

    known = {}

    def one(name):
        if name not in known:
            known[name] = Subject(name, tmp_path_factory.mktemp(name))
        return known[name]

    return one


@pytest.mark.parametrize("name", ["cnn", "bert_qa"])
def test_the_good_graph_passes(subject, name):
    assert {row.verdict for row in subject(name).good_rows()} == {"passed"}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("cnn", "weight 0.5% off"),
        ("cnn", "two channels swapped"),
        ("cnn", "bias dropped"),
        ("cnn", "kernel transposed"),
        ("cnn", "value frozen"),
        ("cnn", "half precision inside"),
        ("cnn", "half a layer for one sample"),
        ("cnn", "leaky ReLU for ReLU"),
        ("bert_qa", "one channel 0.5% off"),
        ("bert_qa", "another epsilon"),
        ("bert_qa", "tanh for erf in GELU"),
        ("bert_qa", "mask ignored"),
        ("bert_qa", "outputs in another order"),
        ("bert_qa", "softmax 0.1% off"),
    ],
)
def test_a_fault_that_is_planted_is_found(subject, name, fault):
    planted = subject(name).plant(fault)
    assert planted is not None, "the graph has a place for it"
    assert planted.found, planted


@pytest.mark.parametrize("fault", ["another epsilon", "tanh for erf in GELU"])
def test_the_rule_of_before_missed_it(subject, fault):
    planted = subject("bert").plant(fault)
    assert planted.found
    assert not planted.found_before
