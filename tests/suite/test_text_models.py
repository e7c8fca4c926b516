"""The text and speech models: what they are built as, what goes in, and that what comes out depends on it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from suite.axes import TASKS
from suite.catalog import builtin_specs
from suite.data.sources import sources_in
from suite.spec import ModelSpec

MODELS = tuple(spec for spec in builtin_specs() if spec.family in ("text", "speech"))
SOURCES = sources_in(None)
every_model = pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)


def built(spec: ModelSpec, size: str) -> Any:
    """The model with seeded weights, in eval mode."""
    import torch

    torch.manual_seed(0)
    return spec.build(**spec.sizes[size].build).eval()


def batch(spec: ModelSpec, size: str, **options: Any) -> Any:
    """Two real samples."""
    from suite.tasks.task_of import batch_for

    return batch_for(spec, size, SOURCES[TASKS[spec.task].input], **{"num_samples": 2, **options})


def outputs_of(module: Any, inputs: Any) -> list[Any]:
    """The output tensors, flattened."""
    import torch

    from suite.flat_tensors import flatten_outputs

    with torch.inference_mode():
        return flatten_outputs(module(**inputs))


def test_the_records_are_read_without_any_heavy_library() -> None:
    code = (
        "import sys; from suite.catalog import builtin_specs; assert len(builtin_specs()) > 20;"
        "print(*{'torch', 'transformers', 'tokenizers', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@every_model
def test_a_batch_holds_exactly_the_inputs_that_the_export_names(spec: ModelSpec) -> None:
    for size in spec.sizes:
        made = batch(spec, size)
        assert tuple(made.inputs) == tuple(spec.export.dynamic)


@pytest.mark.heavy
@every_model
def test_a_tiny_model_gives_the_outputs_on_its_record_and_they_depend_on_the_input(
    spec: ModelSpec,
) -> None:
    made = batch(spec, "tiny")
    outputs = outputs_of(built(spec, "tiny"), made.inputs)
    assert len(outputs) == len(spec.outputs)
    for name, output in zip(spec.outputs, outputs, strict=True):
        assert output.isfinite().all(), name
        between = (output[0] - output[1]).abs().max()
        allowed = spec.tolerance.atol + spec.tolerance.rtol * output.abs().max()
        assert between > 5 * allowed, f"{name}: {between:.2g} between two inputs"


@pytest.mark.heavy
@every_model
def test_a_tiny_model_takes_another_length(spec: ModelSpec) -> None:
    length = spec.sizes["tiny"].inputs["length"] // 2
    made = batch(spec, "tiny", overrides={"length": length})
    assert all(output.isfinite().all() for output in outputs_of(built(spec, "tiny"), made.inputs))


@pytest.mark.slow
@pytest.mark.heavy
def test_the_launcher_is_told_everything_that_a_first_forward_imports() -> None:
    code = """
import importlib, sys
from suite.axes import TASKS
from suite.data.sources import sources_in
from suite.catalog import builtin_specs
from suite.tasks.task_of import batch_for
models = [spec for spec in builtin_specs() if spec.family in ("text", "speech")]
for spec in models:
    for name in spec.requires:
        importlib.import_module(name)
batches = [
    batch_for(spec, "tiny", sources_in(None)[TASKS[spec.task].input], num_samples=1) for spec in models
]
before = set(sys.modules)
for spec, made in zip(models, batches):
    spec.build(**spec.sizes["tiny"].build).eval()(**made.inputs)
print(*sorted(m for m in set(sys.modules) - before if m.startswith(("transformers", "torch"))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.mark.slow
@pytest.mark.heavy
@every_model
def test_the_base_model_has_the_published_number_of_parameters(spec: ModelSpec) -> None:
    import torch

    with torch.device("meta"):  # counts without memory
        module = spec.build(**spec.sizes["base"].build)
    assert sum(p.numel() for p in module.parameters()) == spec.parameters
    assert spec.source.startswith("https://")


@pytest.mark.heavy
def test_a_translator_does_not_see_the_tokens_that_it_has_to_guess() -> None:
    import torch

    spec = next(s for s in MODELS if s.name == "transformer")
    module, inputs = built(spec, "tiny"), batch(spec, "tiny").inputs
    changed = {**inputs, "decoder_input_ids": inputs["decoder_input_ids"].clone()}
    changed["decoder_input_ids"][:, 10:] = 7
    (before,), (after,) = outputs_of(module, inputs), outputs_of(module, changed)
    assert torch.allclose(before[:, :10], after[:, :10], atol=1e-5)
    assert not torch.allclose(before[:, 10:], after[:, 10:], atol=1e-2)


@pytest.mark.heavy
def test_a_translator_does_not_see_padding() -> None:
    import torch

    spec = next(s for s in MODELS if s.name == "transformer")
    module, inputs = built(spec, "tiny"), dict(batch(spec, "tiny").inputs)
    inputs["attention_mask"] = inputs["attention_mask"].clone()
    inputs["attention_mask"][:, 20:] = 0
    changed = {**inputs, "input_ids": inputs["input_ids"].clone()}
    changed["input_ids"][:, 20:] = 7
    (before,), (after,) = outputs_of(module, inputs), outputs_of(module, changed)
    assert torch.allclose(before, after, atol=1e-5)
