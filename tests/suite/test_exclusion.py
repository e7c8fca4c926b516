"""The search for layers to leave in float, on made-up harm: no graph is opened."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.quantization.exclusion import order_of, search
from suite.quantization.sensitivity import grouped, relative_error, sensitivity_of
from suite.quantization.switched import Layer
from suite.results.quantize import LayerHarm, Mending, Sensitivity
from suite.stages.quantize.mending import claim_of


def rows(**harms):
    """Layers with these errors, in the order of their harm."""
    layers = [LayerHarm(name=name, error=error) for name, error in harms.items()]
    return Sensitivity(layers=tuple(sorted(layers, key=lambda row: -row.error)))


def judge_of(harms):
    """A judge in whose eyes harms add up."""
    return lambda in_8_bits: sum(harm for name, harm in harms.items() if name in in_8_bits)


def test_the_one_layer_that_hurts_is_left_in_float_and_no_other():
    harms = {"a": 0.1, "bad": 5.0, "c": 0.2, "d": 0.1}
    found = search(order_of(rows(**harms), 1.0), judge_of(harms), 1.0)
    assert found.excluded == ("bad",)
    assert found.loss == pytest.approx(0.4)
    assert not found.failure


@given(st.lists(st.floats(0, 10), min_size=2, max_size=40), st.floats(0.1, 20))
def test_what_is_found_is_within_the_limit_and_never_the_whole_graph(harms, allowed):
    named = {f"n{i}": harm for i, harm in enumerate(harms)}
    judge = judge_of(named)
    found = search(order_of(rows(**named), allowed), judge, allowed)
    assert len(found.excluded) < len(named)
    if found.failure:
        assert not found.excluded
        assert judge({min(named, key=named.get)}) > allowed
    else:
        assert judge(set(named) - set(found.excluded)) <= allowed


def test_where_all_but_one_in_float_is_not_enough_it_is_a_failure_not_a_float_graph():
    found = search(order_of(rows(a=1.0, b=1.0, c=1.0), 0.5), lambda in_8_bits: 9.0, 0.5)
    assert not found.excluded
    assert "with all but one in float it is still beyond" in found.failure


def test_a_graph_of_one_layer_cannot_be_mended_by_leaving_it_out():
    found = search(order_of(rows(only=1.0), 0.5), lambda in_8_bits: 0.0, 0.5)
    assert "of 1 layers in 8 bits 1 would have to be left in float" in found.failure


def test_a_layer_that_was_left_in_float_for_nothing_is_put_back_the_dearest_first():
    layers = (
        LayerHarm(name="noisy but harmless", error=0.9, share=0.5),
        LayerHarm(name="bad", error=0.8, share=0.1),
        LayerHarm(name="fine", error=0.1, share=0.1),
    )
    found = search(layers, lambda in_8_bits: 3.0 if "bad" in in_8_bits else 0.0, 1.0)
    assert found.excluded == ("bad",)


def test_of_two_layers_that_hurt_alike_the_quicker_one_goes_first():
    layers = (
        LayerHarm(name="slow", error=0.5, share=0.4),
        LayerHarm(name="quick", error=0.5, share=0.01),
    )
    assert order_of(Sensitivity(layers=layers), 1.0)[0].name == "quick"


def test_a_drop_of_the_metric_says_more_than_an_error_and_a_chance_drop_says_nothing():
    layers = (
        LayerHarm(name="loud", error=0.9, drop=0.0, share=0.1),
        LayerHarm(name="wrong", error=0.2, drop=2.0, share=0.1),
        LayerHarm(name="chance", error=0.1, drop=0.2, share=0.1),
    )
    found = [row.name for row in order_of(Sensitivity(layers=layers, by="metric"), 1.0)]
    assert found == ["wrong", "loud", "chance"]


def test_an_output_that_is_no_number_goes_first_whatever_its_time():
    layers = (
        LayerHarm(name="bad", error=0.9, share=0.001),
        LayerHarm(name="broken", error=math.inf, share=0.9),
    )
    assert order_of(Sensitivity(layers=layers), 1.0)[0].name == "broken"


def test_time_that_is_up_ends_the_search_with_what_was_reached():
    harms = {f"n{i}": 1.0 for i in range(64)}
    found = search(order_of(rows(**harms), 1.0), judge_of(harms), 1.0, is_over=lambda: True)
    assert "time was up" in found.failure
    assert found.num_trials == 1


@given(st.integers(0, 50), st.integers(1, 60))
def test_groups_hold_every_layer_once_and_are_alike_in_number(count, most):
    layers = [Layer(name=f"n{i}", operator="", scope="", nodes=()) for i in range(count)]
    groups = grouped(layers, most)
    assert [layer for group in groups for layer in group] == layers
    assert len(groups) <= most
    sizes = {len(group) for group in groups}
    assert not sizes or max(sizes) - min(sizes) <= 1


class Scripted:
    """A graph with switches whose answers are known."""

    def __init__(self, harms):
        self.harms = harms
        self.layers = tuple(
            Layer(name=name, operator="Conv", scope=f"body.{name}", nodes=(name,)) for name in harms
        )
        self.now, self.num_runs = 0.0, 0

    def run(self, feed, on=()):
        import numpy as np

        self.now += 1.0
        self.num_runs += 1
        return [np.array([1.0, sum(self.harms[name] for name in on)])]


def test_layers_that_do_not_fit_the_budget_share_a_switch_and_say_so():
    graph = Scripted(dict.fromkeys("abcdefgh", 0.1) | {"f": 7.0})
    found = sensitivity_of(graph, [{}], num_samples=1, budget=5.0, clock=lambda: graph.now)
    assert graph.num_runs <= 6
    assert {row.name for row in found.layers[:2]} == {"e", "f"}
    assert found.layers[0].group == found.layers[1].group is not None
    assert found.num_left == 0


def test_every_layer_by_itself_within_the_budget():
    graph = Scripted({"a": 0.1, "b": 3.0, "c": 0.2})
    found = sensitivity_of(graph, [{}], num_samples=1, budget=60.0, clock=lambda: graph.now)
    assert [row.name for row in found.layers] == ["b", "c", "a"]
    assert found.layers[0].error == pytest.approx(3.0)
    assert all(row.group is None for row in found.layers)


def test_ties_of_the_metric_are_told_apart_by_the_error():
    graph = Scripted({"a": 0.1, "b": 3.0})
    found = sensitivity_of(graph, [{}], num_samples=1, loss=lambda outputs: 0.0)
    assert (found.by, found.layers[0].name, found.layers[0].drop) == ("metric", "b", 0.0)


def test_sensitivity_on_no_samples_is_refused():
    with pytest.raises(ValueError, match="no samples to measure sensitivity on"):
        sensitivity_of(Scripted({"a": 1.0}), [], num_samples=0)


def test_outputs_of_another_shape_or_no_number_are_infinitely_wrong():
    import numpy as np

    one = [[np.ones((2, 3), np.float32)]]
    assert relative_error(one, [[np.ones((2, 4), np.float32)]]) == math.inf
    assert relative_error(one, [[np.full((2, 3), np.nan, np.float32)]]) == math.inf
    assert relative_error(one, one) == 0.0


def mending(**more):
    given = {
        "limit": 1.0,
        "before": 4.0,
        "after": 0.5,
        "excluded": ("bad",),
        "num_layers": 9,
        "num_quantized": (9, 8),
        "num_conversions": (30, 26),
    }
    return Mending(**{**given, **more})


def test_a_mending_that_had_its_effect_holds():
    claim = claim_of(mending(), "points")
    assert claim.holds
    assert "8-bit operators 9 -> 8; conversions 30 -> 26" in claim.evidence
    assert "in float: bad" in claim.evidence


@pytest.mark.parametrize(
    "more",
    [
        {"num_quantized": (9, 9)},  # nothing was left in float after all
        {"num_quantized": (9, 0)},  # everything was
        {"after": 4.0},  # no better than before
        {"after": 2.0},  # better, and still beyond
        {"failure": "time was up", "excluded": ()},
        {"excluded": (), "kept": "plain"},  # neither another way nor a layer
    ],
)
def test_a_mending_without_effect_or_of_everything_does_not_hold(more):
    assert not claim_of(mending(**more), "points").holds
