"""Worker side. Models of torchvision: random weights, and the input that the published weights' transforms name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, get_type_hints

from diagnostics.did_you_mean import did_you_mean
from suite.axes import BASE, OPEN
from suite.catalog import CatalogError
from suite.origins.probe import AS_BUILT
from suite.origins.random_weights import measuring_norms, spread_scores, wake_classifier
from suite.origins.reference import Reference
from suite.presets import TRAINING
from suite.spec import Export, ModelSpec

SIDE: Final = 224
"""Side of a picture where the weights name none."""
DETECTION_SIDE: Final = 320
"""Side of a detector's picture, which every detector of the library scales to its own."""
DETECTION: Final = "detection"
SEGMENTATION: Final = "segmentation"
"""Subpackages of the detectors, and of the nets that label each pixel: activations of these vanish as well."""
NUM_BOX_CLASSES: Final = {False: 91, True: 2}
"""Whether it finds keypoints, of persons alone -> classes that the library's detectors score by default."""
VANISHING: Final = {"googlenet": 224, "inception_v3": 299}
"""Classifier that starts from weights so small that nothing of the picture reaches its end -> side of its picture."""
FLOW_SIDE: Final = 128
FRAMES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the models of one part of the library take and give."""

    task: str
    outputs: tuple[str, ...]
    inputs: Callable[[Any, Mapping[str, Any]], dict[str, Any]]
    """(transforms, meta of the weights) -> a size's `inputs`."""
    export: Export


def _picture_sides(transforms: Any, _: Mapping[str, Any]) -> int:
    crop = getattr(transforms, "crop_size", None) or [SIDE]
    return int(crop[0])


def _classes(meta: Mapping[str, Any], least: int) -> int:
    return max(least, len(meta.get("categories", ())))


def _images(transforms: Any, meta: Mapping[str, Any]) -> dict[str, Any]:
    side = _picture_sides(transforms, meta)
    return {"side": side, "channels": 3, "classes": _classes(meta, 1000)}


def _clips(transforms: Any, meta: Mapping[str, Any]) -> dict[str, Any]:
    side, frames = _picture_sides(transforms, meta), int(meta.get("min_temporal_size", FRAMES))
    return {"side": side, "frames": max(frames, FRAMES), "classes": _classes(meta, 400)}


def _scenes(_: Any, meta: Mapping[str, Any]) -> dict[str, Any]:
    return {"side": SIDE, "classes": _classes(meta, 21)}


def _boxes(_: Any, meta: Mapping[str, Any]) -> dict[str, Any]:
    return {"count": 1, "shape": [3, DETECTION_SIDE, DETECTION_SIDE], "classes": _classes(meta, 91)}


def _pair(_: Any, meta: Mapping[str, Any]) -> dict[str, Any]:
    side = max(FLOW_SIDE, *meta.get("min_size", (0, 0)))
    return {"count": 2, "shape": [3, side, side]}


BATCH: Final = Export(dynamic={"x": {0: "batch"}})
FORMS: Final = {
    "": Form(task="image_classification", outputs=("logits",), inputs=_images, export=BATCH),
    "quantization": Form(
        task="image_classification", outputs=("logits",), inputs=_images, export=BATCH
    ),
    "video": Form(task="video_classification", outputs=("logits",), inputs=_clips, export=BATCH),
    SEGMENTATION: Form(task="segmentation", outputs=("out",), inputs=_scenes, export=BATCH),
    DETECTION: Form(
        task=OPEN,
        outputs=("boxes", "labels", "scores"),
        inputs=_boxes,
        export=Export(
            recipe="detection",
            static_reason="the model takes a list of pictures and unrolls it: the graph holds for one",
        ),
    ),
    "optical_flow": Form(
        task=OPEN,
        outputs=("flow",),
        inputs=_pair,
        export=Export(dynamic={"image1": {0: "batch"}, "image2": {0: "batch"}}),
    ),
}
"""Subpackage of torchvision.models -> what its models take and give."""

DETECTION_OUTPUTS: Final = {
    "ssd": ("boxes", "scores", "labels"),
    "retinanet": ("boxes", "scores", "labels"),
    "fcos": ("boxes", "scores", "labels"),
    "maskrcnn": ("boxes", "labels", "scores", "masks"),
    "keypointrcnn": ("boxes", "labels", "scores", "keypoints", "keypoints_scores"),
}
"""Beginning of a detector's name -> its outputs in order, where they differ."""


def names() -> list[str]:
    """Return the names of all models, sorted."""
    from torchvision.models import list_models

    return sorted(list_models())


def describe(target: str) -> ModelSpec:
    """Return the record of a model from the metadata of its published weights; nothing is built.

    Raise CatalogError with "did you mean" for an unknown name.
    """
    from torchvision.models import get_model_weights

    if target not in names():
        raise CatalogError(
            f"torchvision has no model {target!r}{did_you_mean(target, names(), is_listed=False)}"
        )
    kind = _part_of(target)
    form = FORMS[kind]
    weights = next(iter(get_model_weights(target)), None)
    transforms = weights.transforms() if weights is not None else None
    inputs = form.inputs(transforms, weights.meta if weights is not None else {})
    outputs = next(
        (names for start, names in DETECTION_OUTPUTS.items() if target.startswith(start)),
        form.outputs,
    )
    names_here = _renamed(target, form.task)
    axes = {names_here.get(name, name): held for name, held in form.export.dynamic.items()}
    record = ModelSpec(
        name=Reference(kind="torchvision", target=target).model,
        family=kind or "torchvision",
        task=form.task,
        build=partial(build_model, target),
        inputs=noise if form.task == OPEN else None,
        arguments={"0": "images"} if kind == DETECTION else names_here,
        sizes={BASE: replace(AS_BUILT, training=TRAINING, inputs=inputs)},
        outputs=outputs,
        requires=("torchvision.models",),
        export=replace(form.export, dynamic=axes),
        judged_as_built=True,
        source="https://docs.pytorch.org/vision/stable/models.html",
    )
    return completed(target, record)


def _renamed(name: str, task: str) -> dict[str, str]:
    """Return the argument that takes the pictures, where the class calls it otherwise than the task."""
    if task == OPEN:
        return {}
    from torchvision.models import get_model_builder

    kind = get_type_hints(get_model_builder(name)).get("return")
    if kind is None:
        return {}
    takes = next(key for key in inspect.signature(kind.forward).parameters if key != "self")
    return {} if takes == "x" else {"x": takes}


def _part_of(name: str) -> str:
    """Return the subpackage of torchvision.models that has the model; empty for classifiers of pictures."""
    from torchvision.models import get_model_builder

    part = get_model_builder(name).__module__.split(".")[2:-1]
    return part[0] if part else ""


def completed(target: str, record: ModelSpec) -> ModelSpec:
    """Return the record with its functions."""
    is_open = record.inputs is not None
    is_list = "images" in record.arguments.values()
    return replace(
        record,
        build=partial(build_model, target),
        pretrained=partial(build_model, target, pretrained=True),
        inputs=partial(noise, is_list=is_list) if is_open else None,
    )


def build_model(name: str, *, pretrained: bool = False) -> Any:
    """Return the module with random weights, also in its backbone; downloads happen only if `pretrained`."""
    import torchvision.models  # noqa: F401 - registers the models
    from torchvision.models import get_model, get_model_builder

    builder = get_model_builder(name)
    backbone = "weights_backbone" in inspect.signature(builder).parameters
    settings: dict[str, Any] = {"weights_backbone": None} if backbone else {}
    module = get_model(name, weights="DEFAULT" if pretrained else None, **settings)
    if not pretrained:
        _wake(name, module.eval())
    return _LastFlow(module) if name.startswith("raft") else module


def _wake(name: str, module: Any) -> None:
    """Change random weights in place under which the model would answer a constant."""
    import torch

    part = _part_of(name)
    if part == DETECTION:
        shape = [3, DETECTION_SIDE, DETECTION_SIDE]
        (pictures,) = noise(count=2, shape=shape, is_list=True)
        spread_scores(module, pictures, NUM_BOX_CLASSES[name.startswith("keypoint")])
        return
    for layer in module.modules():
        if isinstance(layer, torch.nn.Linear):
            wake_classifier(layer)
    if side := VANISHING.get(name) or (SIDE if part == SEGMENTATION else 0):
        with torch.no_grad(), measuring_norms(module):
            module(torch.cat(noise(count=2, shape=[3, side, side])))


def noise(*, count: int, shape: list[int], classes: int = 0, is_list: bool = False) -> Any:
    """Return pictures of noise: a tuple of `count` batches of one, or, for detectors, a list of `count` in 0..1."""
    import torch

    del classes
    generator = torch.Generator().manual_seed(0)
    if is_list:
        return ([torch.rand(*shape, generator=generator) for _ in range(count)],)
    return tuple(torch.randn(1, *shape, generator=generator) for _ in range(count))


def _LastFlow(module: Any) -> Any:  # noqa: N802 - a class that is made when torch is there
    """Return the flow model answering with its last iterate alone: the others are training's."""
    from torch import nn

    class LastFlow(nn.Module):
        """A flow model's last iterate."""

        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, image1: Any, image2: Any) -> Any:
            """Return the flow [samples, 2, side, side]."""
            return self.model(image1, image2)[-1]

    return LastFlow()
