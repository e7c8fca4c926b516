"""The layer that 8 bits hurt is named first, and left in float where the rest then loses little enough."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from planted_layers import chain_of_convolutions, chain_of_products, rows
from quantization_graphs import (
    conv_net,
    enlarger,
    language_model,
    pictures,
    random,
    recurrent,
    sentences,
)

from suite.lifecycle import Quantization
from suite.quantization.dynamic import quantize_dynamic_graph
from suite.quantization.errors import QuantizationError
from suite.quantization.report import claims_of
from suite.quantization.sensitivity import relative_error, sensitivity_of
from suite.quantization.sessions import open_quietly, run
from suite.quantization.static import quantize_static_graph
from suite.quantization.switched import open_for, shares_of_time
from suite.quantization.types import U8S7, U8S8

pytestmark = pytest.mark.heavy

STATIC, DYNAMIC = Quantization(bytes_left=2.0), Quantization(method="dynamic", bytes_left=2.0)


def quantized(graph, feeds, settings, types=U8S8, **changes):
    """The graph in 8 bits, and the report on it."""
    output = graph.with_name("quantized.onnx")
    if settings.method == "static":
        return output, quantize_static_graph(
            graph, output, feeds, settings, **{"types": types, **changes}
        )
    return output, quantize_dynamic_graph(graph, output, settings, types=types)


def opened(graph, feeds, settings, types=U8S8):
    """The graph with its switches, and the graph in 8 bits."""
    output, report = quantized(graph, feeds, settings, types)
    return open_for(graph, output, report, graph.parent, profile=True), output


@pytest.mark.parametrize("planted", [1, 2, 3])
def test_the_convolution_whose_input_has_one_huge_channel_is_named_first(tmp_path, planted):
    graph = chain_of_convolutions(tmp_path / "net.onnx", planted=planted)
    switched, _ = opened(graph, pictures(), STATIC)
    found = sensitivity_of(switched, pictures(2, seed=9), num_samples=4)
    worst, second = found.layers[:2]
    assert (worst.name, worst.scope) == (f"c{planted}", f"body.{planted}")
    assert worst.error > 3 * second.error
    assert found.num_left == 0


@pytest.mark.parametrize(("planted", "settings"), [(1, DYNAMIC), (3, DYNAMIC), (2, STATIC)])
def test_the_product_whose_input_has_one_huge_channel_is_named_first(tmp_path, planted, settings):
    graph = chain_of_products(tmp_path / "net.onnx", planted=planted)
    switched, _ = opened(graph, rows(), settings)
    found = sensitivity_of(switched, rows(2, seed=9), num_samples=8)
    assert (found.layers[0].name, found.layers[0].scope) == (f"m{planted}", f"blocks.{planted}")
    assert found.layers[0].error > 3 * found.layers[1].error


CASES = {
    "convolutions": (chain_of_convolutions, pictures, STATIC, {"c0", "c1", "c2", "c3", "fc"}),
    "residual": (conv_net, pictures, STATIC, {"first", "second", "third", "head"}),
    "products": (chain_of_products, rows, DYNAMIC, {"m0", "m1", "m2", "m3"}),
    "language": (
        partial(language_model, vocabulary=256, width=64),
        partial(sentences, vocabulary=256),
        DYNAMIC,
        {"lookup", "to_q", "to_k", "to_v", "to_o", "to_words"},
    ),
    "enlarger": (
        partial(enlarger, kernel=4, stride=2, pad=1),
        lambda count=4, seed=0: [
            {"x": random(2, 3, 5, 6, seed=seed + i, scale=1.0)} for i in range(count)
        ],
        STATIC,
        {"up"},
    ),
    "lstm": (
        lambda path: recurrent(path, "LSTM", 4),
        lambda count=4, seed=0: [
            {"x": random(5, 2, 32, seed=seed + i, scale=1.0)} for i in range(count)
        ],
        DYNAMIC,
        {"cell"},
    ),
}


@pytest.mark.parametrize("types", [U8S8, U8S7], ids=["u8s8", "u8s7"])
@pytest.mark.parametrize("case", CASES)
def test_all_switches_off_is_float_and_all_on_errs_as_the_graph_in_8_bits(tmp_path, case, types):
    build, samples, settings, layers = CASES[case]
    graph = build(tmp_path / "net.onnx")
    switched, output = opened(graph, samples(), settings, types)
    feed = samples(1, seed=9)[0]
    names = {layer.name for layer in switched.layers}
    assert names == layers
    assert relative_error([run(graph, feed)], [switched.run(feed)]) < 1e-4
    real = relative_error([run(graph, feed)], [run(output, feed)])
    simulated = relative_error([run(graph, feed)], [switched.run(feed, names)])
    assert real / 3 < simulated < 3 * real


def test_the_layers_take_shares_of_the_time(tmp_path):
    graph = chain_of_convolutions(tmp_path / "net.onnx")
    switched, _ = opened(graph, pictures(), STATIC)
    for feed in pictures(3):
        switched.run(feed)
    shares = shares_of_time(switched)
    assert shares.keys() == {"c0", "c1", "c2", "c3", "fc"}
    assert all(share > 0 for share in shares.values())
    assert sum(shares.values()) < 1


def test_a_graph_that_was_not_made_of_this_one_is_refused(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    output, report = quantized(chain_of_products(other / "net.onnx"), [], DYNAMIC)
    graph = chain_of_convolutions(tmp_path / "net.onnx")
    with pytest.raises(QuantizationError, match="no layer in 8 bits has a counterpart"):
        open_for(graph, output, report, tmp_path)


def with_a_rare_value():
    """A thousand samples; one value is a thousand times as large as the others."""
    feeds = rows(8, batch=128)
    feeds[0]["x"][0, 0] = 1000.0
    return feeds


@pytest.mark.parametrize("ranges", ["percentile 99.99", "percentile 99.9"])
def test_ranges_without_the_rarest_values_are_finer(tmp_path, ranges):
    graph = chain_of_products(tmp_path / "net.onnx", planted=99)
    feed = rows(1, seed=9)[0]
    errors = {}
    for way in ("min-max", ranges):
        output, report = quantized(graph, with_a_rare_value(), STATIC, ranges=way)
        assert report.num_quantized == 4
        assert report.calibration.num_samples == 8 * 128
        errors[way] = relative_error([run(graph, feed)], [run(output, feed)])
    assert errors[ranges] < errors["min-max"] / 3


def test_an_empty_calibration_set_is_refused_for_every_kind_of_range(tmp_path):
    graph = chain_of_products(tmp_path / "net.onnx")
    with pytest.raises(QuantizationError, match="the calibration set is empty"):
        quantized(graph, [], STATIC, ranges="percentile 99.9")


# Mending: by another way, by layers in float, or not at all.


def pair_of(graph, feeds, settings):
    from suite.stages.quantize.quantized_pair import GraphRecipe, QuantizedPair
    from suite.training.quality import session_forward

    def make(source: Path, output: Path, chosen, changes, /):
        if chosen.method == "static":
            return quantize_static_graph(
                source, output, feeds, chosen, **{"types": U8S8, **changes}
            )
        return quantize_dynamic_graph(source, output, chosen, **{"types": U8S8, **changes})

    output = graph.with_name("quantized.onnx")
    report = make(graph, output, settings, {})
    session = open_quietly(output)
    return QuantizedPair(
        reference=session_forward(open_quietly(graph)),
        quantized=session_forward(session),
        calls={"quantized": partial(session.run, None, feeds[0])},
        claims=claims_of(report, settings),
        report=report,
        recipe=GraphRecipe(
            graph=graph,
            output=output,
            settings=settings,
            threads=1,
            make=make,
            samples=lambda: feeds,
        ),
    )


def held_out(graph, feeds):
    from suite.stages.quantize.mending import HeldOut

    expected = [run(graph, feed) for feed in feeds]
    return HeldOut(
        feeds=feeds,
        num_samples=len(feeds),
        loss=lambda outputs: relative_error(expected, outputs),
        few=feeds,
        num_few=len(feeds),
        is_metric=False,
    )


def mended(graph, feeds, others, settings, allowed):
    """The pair after mending, and what was done, judged on inputs that the search has not seen."""
    import torch

    from suite.stages.quantize.mending import mended
    from suite.tasks.batch import Batch

    pair = pair_of(graph, feeds, settings)
    seen = [{k: v + np.zeros_like(v) for k, v in feed.items()} for feed in others[2:]]
    batches = [Batch(inputs={"x": torch.from_numpy(f["x"])}, num_samples=1) for f in seen]
    expected = [run(graph, feed) for feed in seen]

    def final(forward):
        found = [[tensor.numpy() for tensor in forward(batch)] for batch in batches]
        return relative_error(expected, found)

    before = final(pair.quantized)
    made, done, sensitivity = mended(pair, held_out(graph, others[:2]), allowed, before, final)
    return pair, made, done, sensitivity, final


@pytest.mark.parametrize(
    ("build", "samples", "settings", "layer"),
    [
        (chain_of_convolutions, pictures, STATIC, "c2"),
        (chain_of_products, rows, DYNAMIC, "m2"),
        (chain_of_products, rows, STATIC, "m2"),
    ],
    ids=["convolutions", "products", "products calibrated"],
)
def test_the_planted_layer_alone_is_left_in_float_and_the_rest_is_in_8_bits(
    tmp_path, build, samples, settings, layer
):
    from suite.stages.quantize.mending import claim_of

    graph = build(tmp_path / "net.onnx")
    pair, made, done, sensitivity, final = mended(
        graph, samples(), samples(5, seed=9), settings, 0.1
    )
    assert done.before > 0.5
    assert done.excluded == (layer,)
    assert sensitivity.layers[0].name == layer
    assert done.num_quantized[1] == done.num_quantized[0] - 1
    assert done.num_conversions[1] < done.num_conversions[0]
    assert done.after <= 0.1
    assert final(made.quantized) == pytest.approx(done.after)
    assert claim_of(done, "relative error").holds
    assert made.report.excluded == (layer,)
    operators = {node.name for node in onnx.load(pair.recipe.output).graph.node}
    assert layer in operators, "its float form is what lies in the state"
    assert set(made.calls) == {"quantized", "plain"}


@pytest.mark.parametrize("settings", [DYNAMIC, STATIC], ids=["dynamic", "static"])
def test_a_huge_channel_of_a_norm_is_smoothed_away_without_a_layer_in_float(tmp_path, settings):
    graph = chain_of_products(tmp_path / "net.onnx", is_norm=True)
    _, made, done, sensitivity, final = mended(graph, rows(), rows(5, seed=9), settings, 0.1)
    assert (done.kept, done.excluded, sensitivity) == ("smooth", (), None)
    assert final(made.quantized) < 0.1 < done.before
    assert done.num_quantized == (4, 4)


def test_a_rare_value_is_mended_by_other_ranges_without_a_layer_in_float(tmp_path):
    graph = chain_of_products(tmp_path / "net.onnx", planted=99)
    _, made, done, sensitivity, _ = mended(graph, with_a_rare_value(), rows(5, seed=9), STATIC, 0.1)
    assert done.kept.startswith("percentile")
    assert done.excluded == ()
    assert sensitivity is None
    assert done.after <= 0.1 < done.before
    assert made.report.num_quantized == 4
    assert done.ways[0].name == "plain"


def test_a_limit_that_nothing_reaches_leaves_the_plain_graph_and_a_broken_claim(tmp_path):
    from suite.stages.quantize.mending import claim_of

    graph = chain_of_convolutions(tmp_path / "net.onnx", planted=99)
    pair, made, done, _, _ = mended(graph, pictures(), pictures(5, seed=9), STATIC, 1e-9)
    assert made is pair
    assert done.failure
    assert not claim_of(done, "relative error").holds
