"""Worker side. Models of timm: random weights, the input and the classifier that the library's configuration names."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from diagnostics.did_you_mean import did_you_mean
from suite.axes import BASE, OPEN
from suite.catalog import CatalogError
from suite.origins.probe import AS_BUILT
from suite.origins.random_weights import wake_activations, wake_classifier
from suite.origins.reference import Reference
from suite.presets import TRAINING
from suite.spec import Export, ModelSpec

FALLBACK = (3, 224, 224)
"""Input [channels, height, width] where a configuration names none."""
VANISHING = ("byobnet", "cait", "convmixer", "cspnext", "efficientvit_mit")
"""Modules of the library whose nets answer a constant with the library's own start: nothing of the picture reaches the
end, at most 1e-5 of the answer."""


def names() -> list[str]:
    """Return the names of all models, sorted."""
    import timm

    return sorted(timm.list_models())


def describe(target: str) -> ModelSpec:
    """Return the record of a model from the library's configuration; nothing is built.

    Raise CatalogError with "did you mean" for an unknown name.
    """
    import timm

    if not timm.is_model(target.partition(".")[0]):
        raise CatalogError(
            f"timm has no model {target!r}{did_you_mean(target, names(), is_listed=False)}"
        )
    settings = _settings(target)
    channels, height, width = settings.get("input_size") or FALLBACK
    classes = settings.get("num_classes", 1000)
    heads = settings.get("classifier") or ()
    is_classifier = classes >= 2 and height == width
    inputs: dict[str, Any] = {"side": height, "channels": channels, "classes": classes}
    if not is_classifier:
        inputs = {"shape": [channels, height, width]}
    record = ModelSpec(
        name=Reference(kind="timm", target=target).model,
        family="timm",
        task="image_classification" if is_classifier else OPEN,
        build=partial(build_model, target),
        inputs=None if is_classifier else picture,
        sizes={BASE: replace(AS_BUILT, training=TRAINING, inputs=inputs)},
        outputs=("logits",) if is_classifier else ("output",),
        head=(heads,) if isinstance(heads, str) else tuple(heads),
        requires=("timm",),
        export=Export(dynamic={"x": {0: "batch"}}),
        arguments={} if is_classifier else {"0": "x"},
        judged_as_built=True,
        source="https://github.com/huggingface/pytorch-image-models",
    )
    return completed(target, record)


def _settings(name: str) -> dict[str, Any]:
    """Return the library's configuration of the published weights; empty if there are none."""
    import timm

    found = timm.get_pretrained_cfg(name)
    return found.to_dict() if found is not None else {}


def completed(target: str, record: ModelSpec) -> ModelSpec:
    """Return the record with its functions."""
    return replace(
        record,
        build=partial(build_model, target),
        pretrained=partial(build_model, target, pretrained=True),
        inputs=None if record.inputs is None else picture,
    )


def build_model(name: str, *, pretrained: bool = False) -> Any:
    """Return the module; weights are downloaded, or taken from the library's cache, only if `pretrained`."""
    import timm

    try:
        module = timm.create_model(name, pretrained=pretrained)
    except RuntimeError as error:
        # Without a published checkpoint timm raises RuntimeError, which is no failure of the network.
        if pretrained and "No pretrained weights" in str(error):
            raise OSError(str(error)) from error
        raise
    if not pretrained and hasattr(module, "get_classifier"):
        heads = module.get_classifier()
        for head in heads if isinstance(heads, (list, tuple)) else (heads,):
            wake_classifier(head)
    if not pretrained and timm.models.is_model_in_modules(name.partition(".")[0], VANISHING):
        shape = list(_settings(name).get("input_size") or FALLBACK)
        wake_activations(module.eval(), picture(shape=shape, count=2))
    return module


def picture(*, shape: list[int], count: int = 1) -> Any:
    """Return pictures of noise [count, *shape], for models that end in features and know no classes."""
    import torch

    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))
