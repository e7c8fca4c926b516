"""Modules really quantized: PT2E for x86, and torchao as far as a CPU goes."""

from __future__ import annotations

import math
import platform
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from suite.lifecycle import Quantization
from suite.quantization.errors import QuantizationError
from suite.quantization.pt2e import (
    claims_of,
    compile_quantized,
    count_quantized,
    quantize_pt2e,
    tell_calls_apart,
    with_compiled,
)
from suite.quantization.snr import decibels
from suite.quantization.torchao import (
    CONFIGS,
    _unfit,
    first_that_runs,
    other_matrices,
    quantize_linear,
)
from suite.results.quantize import OperatorCount
from suite.stages.quantize.modules import same_shape_forward
from suite.tasks.batch import Batch
from suite.worker.errors import Unavailable

pytestmark = pytest.mark.heavy

x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="X86InductorQuantizer is for x86"
)


class Net(nn.Module):
    """A block whose one ReLU is called twice, as torchvision's ResNet does, and a linear head."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.second = nn.Conv2d(16, 16, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        y = self.relu(self.norm(self.first(x)))
        y = self.relu(self.second(y) + y)
        return self.head(y.mean((2, 3)))


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRU(8, 8, batch_first=True)

    def forward(self, x):
        return self.cell(x)[0]


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().eval()


def pictures(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [{"x": torch.randn(4, 3, 12, 12, generator=generator)} for _ in range(count)]


@x86
def test_a_module_is_quantized_to_a_graph_that_can_be_judged_without_compiling(net):
    inputs = pictures(1, seed=9)[0]
    graph, facts = quantize_pt2e(net, inputs, pictures(3))
    assert facts.count.quantized == {"conv2d": 2, "linear": 1}
    assert facts.count.floating == {}
    assert facts.num_quantized == 3
    assert facts.num_calibration == 3
    assert facts.bytes.left < 0.35
    assert list(facts.seconds) == ["export", "prepare", "calibrate", "convert"]
    with torch.no_grad():
        reference, actual = net(**inputs), graph(**inputs)
    assert 20 < decibels(reference.numpy(), actual.numpy()) < math.inf
    claims = claims_of(facts, Quantization())
    assert [claim.holds for claim in claims] == [True, True]
    assert not claims_of(facts, Quantization(least_operators=4))[0].holds


@x86
def test_a_dynamic_batch_stays_dynamic(net):
    shapes = {"x": {0: torch.export.Dim("batch")}}
    graph, _ = quantize_pt2e(net, pictures(1)[0], pictures(2), dynamic_shapes=shapes)
    with torch.no_grad():
        assert graph(x=torch.randn(7, 3, 12, 12)).shape == (7, 10)


@x86
def test_calls_of_one_module_are_told_apart(net):
    graph = torch.export.export(net, (), pictures(1)[0]).module()
    tell_calls_apart(graph)
    names = [
        list(node.meta["nn_module_stack"].values())[-1][0]
        for node in graph.graph.nodes
        if "relu" in str(node.target)
    ]
    assert names == ["relu", "relu@2"]


@x86
def test_nothing_to_calibrate_on_is_refused(net):
    with pytest.raises(QuantizationError, match="the calibration set is empty"):
        quantize_pt2e(net, pictures(1)[0], [])


@x86
def test_a_module_without_a_layer_that_can_be_quantized_is_refused():
    x = torch.randn(2, 5, 8)
    with pytest.raises(
        QuantizationError, match="PT2E quantized nothing: {'gru': 1} stays in float"
    ):
        quantize_pt2e(Sequence().eval(), {"x": x}, [{"x": x}])


def test_another_cpu_than_x86_is_unavailable(net, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(Unavailable, match="needs an x86 CPU; this one is aarch64"):
        quantize_pt2e(net, pictures(1)[0], pictures(1))


def test_a_float_graph_counts_as_not_quantized(net):
    facts = count_quantized(torch.export.export(net, (), pictures(1)[0]).module())
    assert facts == OperatorCount(floating={"conv2d": 2, "linear": 1})


@x86
@pytest.mark.slow
def test_inductor_compiles_the_quantized_graph_to_8_bit_kernels(net):
    inputs = pictures(1, seed=9)[0]
    graph, facts = quantize_pt2e(net, inputs, pictures(3))
    compiled = compile_quantized(graph, inputs)
    assert compiled.kernels.integer == {"convolution": 2, "linear": 1}
    assert all(claim.holds for claim in claims_of(with_compiled(facts, compiled), Quantization()))
    with torch.no_grad():
        reference = graph(**inputs)
    for answer in (compiled(**inputs), compiled(inputs["x"])):
        assert decibels(reference.numpy(), answer.numpy()) > 30


@x86
@pytest.mark.slow
def test_a_float_graph_compiles_to_no_8_bit_kernel_and_is_refused(net):
    graph = torch.export.export(net, (), pictures(1)[0]).module()
    with pytest.raises(QuantizationError, match="without a single 8-bit kernel"):
        compile_quantized(graph, pictures(1)[0])


def layers(*widths):
    torch.manual_seed(0)
    pairs = pairwise(widths)
    return nn.Sequential(*(part for a, b in pairs for part in (nn.Linear(a, b), nn.ReLU()))).eval()


@pytest.mark.parametrize(("config", "least"), [("int8_dynamic", 25.0), ("int8_weight_only", 35.0)])
def test_linear_layers_are_quantized_in_place(config, least):
    module, x = layers(64, 128, 10), torch.randn(32, 64)
    with torch.no_grad():
        reference = module(x)
        facts = quantize_linear(module, config)
        actual = module(x)
    assert facts.num_quantized == 2
    assert facts.left == {}
    assert facts.bytes.left < 0.3
    assert least < decibels(reference.numpy(), actual.numpy()) < math.inf


def test_a_module_without_linear_layers_is_refused_with_what_it_has_instead():
    from transformers.pytorch_utils import Conv1D

    module = nn.Sequential(Conv1D(16, 8), nn.Embedding(4, 4)).eval()
    assert other_matrices(module) == ["0"]
    with pytest.raises(QuantizationError, match="none of 0 Linear layers .*a matrix: 0; next"):
        quantize_linear(module, "int8_dynamic")


def test_attentions_packed_projection_is_named_among_what_torchao_does_not_look_at():
    assert other_matrices(nn.MultiheadAttention(8, 2)) == ["", "out_proj"]


def test_float8_takes_bfloat16_and_a_gpu_that_can():
    with pytest.raises(QuantizationError, match="takes weights in bfloat16; these are in float32"):
        quantize_linear(layers(32, 32), "float8_dynamic")
    with pytest.raises(Unavailable, match=r"needs a GPU of compute capability 8\.9; got cpu"):
        quantize_linear(layers(32, 32).to(torch.bfloat16), "float8_dynamic")


@pytest.mark.parametrize(
    ("capability", "chosen"), [((9, 0), "float8_dynamic"), ((8, 0), "int8_dynamic")]
)
def test_a_gpu_takes_the_first_configuration_that_it_can(monkeypatch, capability, chosen):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert first_that_runs(("float8_dynamic", "int8_dynamic"), "cuda") == chosen


def test_a_gpu_that_can_none_of_them_is_told_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(Unavailable, match=r"float8_dynamic runs on a GPU of .* 7\.5"):
        first_that_runs(("float8_dynamic",), "cuda")


def test_layers_whose_widths_a_gpu_cannot_multiply_stay_as_they_are():
    on_gpu = SimpleNamespace(in_features=64, out_features=10, weight=SimpleNamespace(is_cuda=True))
    assert "64 -> 10 is no multiple of 16" in _unfit(CONFIGS["float8_dynamic"], on_gpu)
    on_gpu.out_features = 32
    assert _unfit(CONFIGS["float8_dynamic"], on_gpu) == ""


def test_an_unknown_configuration_is_named_with_those_that_there_are():
    with pytest.raises(ValueError, match="'int3'; expected one of float8_dynamic, int8_dynamic"):
        quantize_linear(layers(8, 8), "int3")


def test_every_configuration_can_be_made():
    assert {name: type(row.make(False)).__name__ for name, row in CONFIGS.items()} == {
        "float8_dynamic": "Float8DynamicActivationFloat8WeightConfig",
        "int8_dynamic": "Int8DynamicActivationInt8WeightConfig",
        "int8_weight_only": "Int8WeightOnlyConfig",
    }


@pytest.mark.parametrize("num_samples", [1, 3, 4, 10])
def test_a_program_for_four_samples_answers_for_any_number_of_them(num_samples: int) -> None:
    seen = []

    def program(x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return 2 * x

    x = torch.arange(3.0 * num_samples).reshape(num_samples, 3)
    batch = Batch(inputs={"x": x}, targets={}, num_samples=num_samples)
    (answer,) = same_shape_forward(program, 4)(batch)
    assert set(seen) == {4}
    assert torch.equal(answer, 2 * x)
