"""The classic and picture models: what they are built as, what goes in, and that what comes out depends on it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from suite.axes import TASKS
from suite.data.sources import sources_in
from suite.models import classic, detection, generative, segmentation, video, vision
from suite.spec import ModelSpec

FAMILIES = (classic, generative, vision, detection, segmentation, video)
MODELS = tuple(spec for family in FAMILIES for spec in family.MODELS)
SOURCES = sources_in(None)
every_model = pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)


def built(spec: ModelSpec, size: str) -> Any:
    """The model with seeded weights, in eval mode."""
    import torch

    torch.manual_seed(0)
    return spec.build(**spec.sizes[size].build).eval()


def batch(spec: ModelSpec, **options: Any) -> Any:
    """Real samples for the tiny model."""
    from suite.tasks.task_of import batch_for

    return batch_for(spec, "tiny", SOURCES[TASKS[spec.task].input], **{"num_samples": 1, **options})


def outputs_of(module: Any, inputs: Any) -> list[Any]:
    """The output tensors, flattened."""
    import torch

    from suite.flat_tensors import flatten_outputs

    with torch.inference_mode():
        return flatten_outputs(module(**inputs))


def test_the_records_are_read_without_any_heavy_library() -> None:
    code = (
        "import sys; from suite.models import classic, detection, generative, segmentation, video, vision;"
        "print(*{'torch', 'torchvision', 'numpy', 'sklearn', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_catalogue_of_pictures_is_complete() -> None:
    assert [spec.name for spec in MODELS] == [
        *("mlp", "cnn", "rnn", "lstm", "gru", "dcgan", "resnet18", "inception_v3", "vit_b_16"),
        *("faster_rcnn", "ssd300", "yolo", "fcn_resnet50", "deeplabv3_resnet50", "unet", "pspnet"),
        *("mvit_v2_s", "r3d_18"),
    ]


@every_model
def test_every_record_has_both_sizes_a_count_with_its_source_and_a_reason_for_static_axes(
    spec: ModelSpec,
) -> None:
    assert set(spec.sizes) == {"tiny", "base"}
    assert spec.parameters
    assert spec.source.startswith("https://")
    assert spec.export.dynamic or spec.export.static_reason


@pytest.mark.heavy
@every_model
def test_a_tiny_model_gives_the_outputs_on_its_record_and_they_depend_on_the_input(
    spec: ModelSpec,
) -> None:
    module = built(spec, "tiny")
    first, second = (outputs_of(module, batch(spec, seed=seed).inputs) for seed in (0, 1))
    assert len(first) == len(spec.outputs)
    for name, a, b in zip(spec.outputs, first, second, strict=True):
        assert a.numel(), f"{name}: nothing was detected"
        assert a.isfinite().all(), name
        if a.is_floating_point() and a.shape == b.shape:
            allowed = spec.tolerance.of(name).atol + spec.tolerance.rtol * a.abs().max()
            between = (a - b).abs().max()
            assert between > 5 * allowed, f"{name}: {between:.2g} between two inputs"


@pytest.mark.heavy
@every_model
def test_a_tiny_model_is_a_shrunk_one(spec: ModelSpec) -> None:
    count = sum(p.numel() for p in built(spec, "tiny").parameters())
    assert count < spec.parameters / 5


@pytest.mark.heavy
@every_model
def test_a_tiny_model_learns_from_a_training_batch(spec: ModelSpec) -> None:
    import torch

    made = batch(spec, num_samples=2, split="train")
    module = built(spec, "tiny").train()
    if isinstance(made.inputs.get("images"), list):
        loss = sum(module(**made.inputs, targets=made.targets).values())
    else:
        tensors = torch.utils._pytree.tree_leaves(module(**made.inputs))
        loss = sum(t.float().square().mean() for t in tensors)
    loss.backward()
    assert loss.isfinite()
    got = {name for name, p in module.named_parameters() if p.grad is not None}
    left = {name for name, _ in module.named_parameters()} - got
    # PSPNet holds two stages of its encoder that it never runs.
    assert all(name.startswith(("encoder.layer3", "encoder.layer4")) for name in left), left


@pytest.mark.heavy
@pytest.mark.slow
@every_model
def test_a_base_model_has_the_published_number_of_parameters(spec: ModelSpec) -> None:
    assert sum(p.numel() for p in built(spec, "base").parameters()) == spec.parameters


@pytest.mark.heavy
@pytest.mark.parametrize(
    "published",
    [
        *("resnet18", "inception_v3", "vit_b_16", "ssd300_vgg16"),
        *("fcn_resnet50", "deeplabv3_resnet50", "mvit_v2_s", "r3d_18"),
    ],
)
def test_the_count_on_the_record_is_what_torchvision_publishes(published: str) -> None:
    from torchvision import models

    record = next(spec for spec in MODELS if spec.name == published.removesuffix("_vgg16"))
    weights = models.get_model_weights(published).DEFAULT
    assert record.parameters == weights.meta["num_params"]


@pytest.mark.heavy
def test_faster_rcnn_counts_the_normalizations_that_its_published_weights_freeze() -> None:
    from torchvision import models

    record = next(spec for spec in MODELS if spec.name == "faster_rcnn")
    frozen = sum(
        p.numel()
        for name, p in models.resnet50().named_parameters()
        if "bn" in name or "downsample.1" in name
    )
    published = models.get_model_weights("fasterrcnn_resnet50_fpn").DEFAULT.meta["num_params"]
    assert record.parameters == published + frozen
