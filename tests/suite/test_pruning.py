"""Pruning on the whole catalogue at tiny: it shrinks, runs, is what it was but for what was removed, and comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from pruning_records import SETTINGS, pruning_of, with_pruning

from suite.axes import TASKS
from suite.catalog import builtin_specs
from suite.data.sources import sources_in
from suite.spec import ModelSpec

pytestmark = pytest.mark.heavy

SPECS = {spec.name: spec for spec in builtin_specs()}
SOURCES = sources_in(None)


def built(spec: ModelSpec, seed: int = 0) -> Any:
    import torch

    torch.manual_seed(seed)
    return spec.build(**spec.sizes["tiny"].build).eval()


def inputs_of(spec: ModelSpec) -> Any:
    return inputs_by_name(spec.name)


@cache
def inputs_by_name(name: str) -> Any:
    from suite.tasks.task_of import batch_for

    spec = SPECS[name]
    return batch_for(spec, "tiny", SOURCES[TASKS[spec.task].input], num_samples=2).inputs


def outputs_of(module: Any, inputs: Any) -> list[Any]:
    import torch

    from suite.flat_tensors import flatten_outputs

    torch.manual_seed(0)
    with torch.inference_mode():
        return flatten_outputs(module(**inputs))


def pruned(name: str, module: Any, inputs: Any, **options: Any) -> Any:
    from suite.pruning.engine import prune_module

    return prune_module(
        module, with_pruning(SPECS[name], pruning_of(name)), "tiny", inputs, **options
    )


def test_every_model_of_the_catalogue_has_a_way_to_be_pruned():
    assert set(SETTINGS) == set(SPECS)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_tiny_model_shrinks_runs_and_is_restored_bit_for_bit(name, tmp_path):
    import torch
    from safetensors.torch import load_file, save_model

    from suite.pruning.structure import restore

    spec = SPECS[name]
    module, inputs = built(spec), inputs_of(spec)
    state = {key: value.clone() for key, value in module.state_dict().items()}
    made = pruned(name, module, inputs)
    assert module.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    for what in ("parameters", "macs"):
        row = getattr(made, what)
        assert 0 < row.after < row.before
        assert row.left == row.after / row.before
    assert made.changes
    assert all(p.requires_grad and p.grad is None for p in made.module.parameters())
    assert not any(m.training for m in made.module.modules())

    path = tmp_path / "pruned.safetensors"
    save_model(made.module, str(path))
    again = restore(
        built(spec, seed=1), json.loads(json.dumps(made.structure)), load_file(path)
    ).eval()
    first, second = outputs_of(made.module, inputs), outputs_of(again, inputs)
    assert len(first) % len(spec.outputs) == 0  # a detector answers for each picture
    for a, b in zip(first, second, strict=True):
        assert a.numel()
        assert torch.equal(a, b)
    json.dumps(made.changes)


@pytest.mark.parametrize(
    "name",
    ["bert", "albert_classifier", "vit_b_16", "mvit_v2_s", "transformer", "t5", "gpt2", "llama"],
)
def test_a_pruned_transformer_is_the_original_with_the_removed_inputs_at_zero(name):
    import torch
    from torch import nn

    from suite.pruning.transforms import apply_transforms

    module, inputs = built(SPECS[name]), inputs_of(SPECS[name])
    with torch.no_grad():  # biases that start at zero would hide a wrong one
        for key, parameter in module.named_parameters():
            if key.endswith("bias"):
                parameter.uniform_(-0.1, 0.1)
    made = pruned(name, module, inputs).module
    apply_transforms(module)
    num_zeroed = 0
    for key, layer in module.named_modules():
        if not isinstance(layer, nn.Linear):
            continue
        smaller = made.get_submodule(key).weight
        if smaller.shape[1] < layer.in_features:
            # [columns before, columns after]: which of the first are among the second
            same = (layer.weight.T[:, None] == smaller.T[None]).all(-1)
            assert same.any(1).sum() == smaller.shape[1]
            with torch.no_grad():
                layer.weight[:, ~same.any(1)] = 0
            num_zeroed += 1
    assert num_zeroed
    for a, b in zip(outputs_of(module, inputs), outputs_of(made, inputs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "yolo", "unet", "deeplabv3_resnet50"])
def test_a_pruned_net_is_the_original_with_the_removed_normalizations_at_zero(name):
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    module, inputs = built(SPECS[name]), inputs_of(SPECS[name])
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, _BatchNorm):
                layer.weight.mul_(torch.empty_like(layer.weight).uniform_(0.8, 1.2))
                layer.bias.uniform_(-0.1, 0.1)  # tells the channels apart
    made = pruned(name, module, inputs).module
    num_zeroed = 0
    for key, layer in module.named_modules():
        if isinstance(layer, _BatchNorm):
            gone = ~torch.isin(layer.bias, made.get_submodule(key).bias)
            assert len(gone) - gone.sum() == made.get_submodule(key).num_features
            with torch.no_grad():
                layer.weight[gone] = layer.bias[gone] = 0
            num_zeroed += int(gone.any())
    assert num_zeroed
    for a, b in zip(outputs_of(module, inputs), outputs_of(made, inputs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_both_players_of_a_dcgan_shrink_and_its_pictures_keep_their_colours():
    spec = SPECS["dcgan"]
    made = pruned("dcgan", built(spec), inputs_of(spec))
    changes = made.changes
    assert changes["generator.12"] == {"in_channels": [16, 8]}
    assert changes["discriminator.0"] == {"out_channels": [16, 8]}
    assert changes["discriminator.11"] == {"in_channels": [128, 64]}


def test_whole_heads_go_and_the_module_knows():
    spec = SPECS["bert_classifier"]
    changes = pruned("bert_classifier", built(spec), inputs_of(spec)).changes
    layer = "bert.encoder.layer.1"
    assert changes[f"{layer}.attention.self"] == {
        "num_attention_heads": [4, 2],
        "all_head_size": [64, 32],
    }
    assert changes[f"{layer}.attention.self.query"] == {"out_features": [64, 32]}
    assert changes[f"{layer}.attention.output.dense"] == {"in_features": [64, 32]}
    assert changes[f"{layer}.intermediate.dense"] == {"out_features": [128, 64]}
    assert {name for name in changes if not name.startswith("bert.encoder.layer.")} == set()


def test_gpt2_is_not_pruned_in_silence(monkeypatch):
    from suite.pruning.errors import PruningError
    from suite.pruning.transforms import TRANSFORMS

    spec = SPECS["gpt2"]
    made = pruned("gpt2", built(spec), inputs_of(spec))
    assert made.structure["transforms"].keys() == {"conv1d_to_linear"}
    assert made.changes["transformer.h.1.mlp.c_fc"] == {"out_features": [256, 64]}
    monkeypatch.delitem(TRANSFORMS, "conv1d_to_linear")
    with pytest.raises(PruningError, match="gpt2: nothing is prunable: no feed-forward block"):
        pruned("gpt2", built(spec), inputs_of(spec))


def test_one_model_does_not_leak_into_the_next():
    import inspect

    from torch_pruning.pruner import BasePruner

    spec = SPECS["bert_classifier"]
    first, second = (pruned("bert_classifier", built(spec), inputs_of(spec)) for _ in range(2))
    assert replace(first, module=None) == replace(second, module=None)
    defaults = inspect.signature(BasePruner.__init__).parameters
    for name in ("num_heads", "in_channel_groups", "out_channel_groups", "channel_groups"):
        assert defaults[name].default == {}


@pytest.mark.parametrize("name", ["resnet18", "lstm", "albert_classifier", "vit_b_16"])
def test_importance_by_a_loss_shrinks_as_much_and_chooses_otherwise(name):
    import torch

    spec = SPECS[name]
    module, inputs = built(spec), inputs_of(spec)

    def loss(copy: Any) -> Any:
        return sum(t.square().mean() for t in torch.utils._pytree.tree_leaves(copy(**inputs)))

    by_size, by_loss = pruned(name, module, inputs), pruned(name, module, inputs, loss=loss)
    assert (by_size.importance, by_loss.importance) == ("magnitude", "Taylor")
    assert by_size.changes == by_loss.changes
    assert by_size.macs == by_loss.macs
    (a, *_), (b, *_) = outputs_of(by_size.module, inputs), outputs_of(by_loss.module, inputs)
    assert not torch.equal(a, b)
    assert all(p.grad is None for p in by_loss.module.parameters())
