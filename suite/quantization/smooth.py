"""Worker side. Smoothing: channels of an activation that are much larger than the others are made smaller, exactly.

One scale for a whole activation leaves the codes of small channels to the large one. Where a layer or a norm writes a
tensor and layers read it, its channel j can be divided by s_j in the writer's parameters and multiplied in the readers'
weights, which have a scale per channel of their own: the graph computes the same, in smaller steps. The scales are
those of SmoothQuant (https://arxiv.org/abs/2211.10438); between two convolutions this is the equalization of
https://arxiv.org/abs/1906.04721.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from suite.quantization.errors import QuantizationError
from suite.quantization.prepare import prepare_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

Feeds = Mapping[str, "NDArray[Any]"]

ALPHA: Final = 0.5
"""Share of the unevenness that goes to the weights; SmoothQuant's own choice."""

LEAST: Final = 1e-5
"""Smallest magnitude of a channel, of an activation or of a weight; one that is never used keeps its scale."""

NUM_FEEDS: Final = 16
"""Feeds on which the magnitudes of channels are seen."""

NORMS: Final = ("LayerNormalization", "SimplifiedLayerNormalization")
"""Norms over the last axis, whose second input is a weight and whose third, if any, a bias."""

Place = tuple[str, int]
"""A stored tensor, and its axis that has the channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A tensor between a writer and readers that can share a scale per channel."""

    tensor: str
    axis: int
    """Of the channels, from the end: -1 of tokens, -3 of pictures."""
    divided: tuple[Place, ...]
    multiplied: tuple[Place, ...]


def smooth(graph: Path, output: Path, feeds: Iterable[Feeds]) -> list[str]:
    """Write a graph that computes the same with evener activations; return the tensors that were made so.

    Raises QuantizationError when there is no tensor whose channels can be scaled, or no feed.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="smooth-") as name:
        folder = Path(name)
        prepared = prepare_apart(graph, folder)
        sites = sites_in(prepared.model)
        if not sites:
            raise QuantizationError(
                f"{graph.name}: no norm or convolution writes a tensor that only layers with weights of their own read"
            )
        peaks = _peaks(prepared.path, sites, islice(feeds, NUM_FEEDS), prepared.inputs)
        if not peaks:
            raise QuantizationError(f"{graph.name}: no sample to see the magnitudes of channels on")
        model = onnx.load(prepared.path)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for site in sites:
        scale = scales(peaks[site.tensor], [_magnitudes(stored, *at) for at in site.multiplied])
        for places, factor in ((site.divided, 1 / scale), (site.multiplied, scale)):
            for tensor, axis in places:
                _scale(stored[tensor], axis, factor)
    onnx.save(model, output)
    return [site.tensor for site in sites]


def scales(peaks: NDArray[Any], weights: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return the divisor of every channel: peak^alpha / largest weight^(1 - alpha), one where either is nothing."""
    largest = np.max(np.stack(list(weights)), axis=0)
    is_used = (peaks > LEAST) & (largest > LEAST)
    safe_peaks, safe_weights = np.where(is_used, peaks, 1.0), np.where(is_used, largest, 1.0)
    return np.asarray(safe_peaks**ALPHA / safe_weights ** (1 - ALPHA), np.float32)


def sites_in(model: Any) -> list[Site]:
    """Return the tensors of a prepared graph whose channels can be scaled."""
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    outputs = {value.name for value in model.graph.output}
    found = [
        site
        for node in model.graph.node
        if (site := _site(node, readers, stored, outputs)) is not None
    ]
    # A convolution may be written for one site and read for the next, along other axes; no weight is for two layers.
    divided = Counter(name for site in found for name, _ in site.divided)
    multiplied = Counter(name for site in found for name, _ in site.multiplied)

    def is_own(name: str) -> bool:
        return divided[name] <= 1 and multiplied[name] <= 1 and len(readers[name]) == 1

    return [
        site for site in found if all(is_own(name) for name, _ in (*site.divided, *site.multiplied))
    ]


def _site(
    node: Any, readers: Mapping[str, list[Any]], stored: Mapping[str, Any], outputs: set[str]
) -> Site | None:
    """Return the site behind a node that writes a tensor with parameters per channel, if there is one."""
    written = _written(node, stored)
    if written is None:
        return None
    axis, divided = written
    tensor = node.output[0]
    users = readers.get(tensor, [])
    if axis == -3 and [user.op_type for user in users] == ["Relu"] and tensor not in outputs:
        tensor = users[0].output[0]  # a Relu commutes with a positive scale
        users = readers.get(tensor, [])
    multiplied = [_read(user, tensor, axis, stored) for user in users]
    if tensor in outputs or not multiplied or None in multiplied:
        return None
    places = tuple(place for place in multiplied if place is not None)
    return Site(tensor=tensor, axis=axis, divided=divided, multiplied=places)


def _written(node: Any, stored: Mapping[str, Any]) -> tuple[int, tuple[Place, ...]] | None:
    """Return the axis of the channels that a node writes and the parameters that scale them; None if there are none."""
    if node.op_type == "Conv":
        names = list(node.input[1:])
    elif node.op_type in NORMS:
        if any(a.name == "axis" and a.i != -1 for a in node.attribute):
            return None
        names = list(node.input[1:])
    elif node.op_type == "Mul":  # the weight of a root mean square norm
        names = [name for name in node.input if name in stored and len(stored[name].dims) == 1]
        if len(names) != 1 or stored[names[0]].dims[0] == 1:
            return None
    else:
        return None
    if not names or any(name and name not in stored for name in names):
        return None
    axis = -3 if node.op_type == "Conv" else -1
    if axis == -3 and len(stored[names[0]].dims) != 4:
        return None
    return axis, tuple((name, 0) for name in names if name)


def _read(node: Any, tensor: str, axis: int, stored: Mapping[str, Any]) -> Place | None:
    """Return the weight with which a layer reads the tensor, with the axis of its inputs; None for other readers."""
    if list(node.input).count(tensor) != 1 or node.input[0] != tensor or len(node.input) < 2:
        return None
    weight = stored.get(node.input[1])
    if weight is None:
        return None
    found = {a.name: a.i for a in node.attribute}
    if axis == -3:
        is_whole = node.op_type == "Conv" and found.get("group", 1) == 1 and len(weight.dims) == 4
        return (weight.name, 1) if is_whole else None
    if node.op_type == "MatMul" and len(weight.dims) == 2:
        return weight.name, 0
    if node.op_type == "Gemm" and not found.get("transA", 0):
        return weight.name, 1 if found.get("transB", 0) else 0
    return None


def _peaks(
    path: Path, sites: Iterable[Site], feeds: Iterable[Feeds], inputs: Iterable[str]
) -> dict[str, NDArray[Any]]:
    """Return tensor -> largest magnitude of each channel over the feeds; empty without a feed."""
    import onnx
    import onnxruntime

    model = onnx.load(path, load_external_data=False)
    axes = {site.tensor: site.axis for site in sites}
    declared = {value.name for value in model.graph.output}
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in axes
        if name not in declared
    )
    seen = path.with_name("seen.onnx")
    onnx.save(model, seen)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(seen, options, providers=["CPUExecutionProvider"])
    wanted = list(inputs)
    largest: dict[str, Any] = {}
    for feed in feeds:
        found = session.run(list(axes), {name: feed[name] for name in wanted})
        for (name, axis), values in zip(axes.items(), found, strict=True):
            own = _along(np.abs(values), axis)
            largest[name] = np.maximum(largest.get(name, own), own)
    return largest


def _along(values: NDArray[Any], axis: int) -> NDArray[Any]:
    """Return the largest value of each place on the axis."""
    kept = axis % values.ndim
    return np.asarray(values.max(axis=tuple(i for i in range(values.ndim) if i != kept)))


def _magnitudes(stored: Mapping[str, Any], name: str, axis: int) -> NDArray[Any]:
    from onnx import numpy_helper

    return _along(np.abs(numpy_helper.to_array(stored[name])), axis)


def _scale(tensor: Any, axis: int, factor: NDArray[Any]) -> None:
    """Multiply the tensor along the axis, in place."""
    from onnx import numpy_helper

    values = numpy_helper.to_array(tensor)
    shape = [-1 if i == axis else 1 for i in range(values.ndim)]
    scaled = (values * factor.reshape(shape)).astype(values.dtype)
    tensor.CopyFrom(numpy_helper.from_array(scaled, tensor.name))
