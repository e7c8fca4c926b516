"""Worker side. Probing: a record of a module without one, from what it answers on its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from suite.axes import BASE, OPEN
from suite.catalog import CatalogError
from suite.lifecycle import Pruning, Quantization
from suite.spec import Export, ModelSpec, Size

BATCH: Final = "batch"

AS_BUILT: Final = Size(
    pruning=Pruning(parameters_left=0.95, macs_left=0.95),
    quantization=Quantization(method="auto", bytes_left=1.0),
)
"""Settings of a model for which nobody has chosen any."""


def described(
    name: str,
    build: Callable[..., Any],
    inputs: Callable[..., Any],
    *,
    where: str,
    more_axes: Mapping[str, tuple[int, str]] | None = None,
) -> ModelSpec:
    """Return a record for the module that `build` makes and its `inputs`, from forward passes.

    Names of outputs are the keys of what it returns. The first axis of the inputs is the batch if one sample and two
    are answered by one and two. `more_axes`, input -> axis and its name, are dynamic if the model takes half of their
    extent. Raise CatalogError, naming `where`, if the module does not take the inputs.
    """
    import torch

    from suite.flat_tensors import flatten_outputs
    from suite.tasks.ready_inputs import forward_arguments
    from suite.weights import refuse_dict_inputs

    torch.manual_seed(0)
    module = build().eval()
    given = inputs()
    values = _by_argument(given, forward_arguments(module), where)
    draft = ModelSpec(
        name=name, build=build, inputs=inputs, outputs=("output",), sizes={BASE: AS_BUILT}
    )
    refuse_dict_inputs(draft, module)
    result = _run(module, values, where)
    outputs = names_of_outputs(result)
    if len(outputs) != len(flatten_outputs(result)):
        raise CatalogError(f"{where}: its outputs {outputs} are not the tensors that it returns")
    batched = [key for key, value in values.items() if _extent(value)]
    axes, reason = _batch_axes(module, values, batched, where)
    for key, (axis, label) in (more_axes or {}).items():
        if _takes_half(
            module, values, {k: a for k, (a, n) in (more_axes or {}).items() if n == label}
        ):
            axes = {**axes, key: {**axes.get(key, {}), axis: label}}
    return ModelSpec(
        name=name,
        build=build,
        inputs=inputs,
        task=OPEN,
        sizes={BASE: AS_BUILT},
        outputs=outputs,
        arguments={} if isinstance(given, Mapping) else {str(i): n for i, n in enumerate(values)},
        export=Export(dynamic=axes, static_reason=reason),
    )


def names_of_outputs(result: Any, prefix: str = "") -> tuple[str, ...]:
    """Return one name per tensor of a module's result, in the order of `flatten_outputs`: keys, or numbers."""
    import torch

    if isinstance(result, torch.Tensor):
        return (prefix or "output",)
    if isinstance(result, Mapping):
        items = [(str(key), value) for key, value in result.items()]
    elif is_dataclass(result) and not isinstance(result, type):
        items = [(item.name, getattr(result, item.name)) for item in fields(result)]
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        items = list(zip(result._fields, result, strict=True))
    elif isinstance(result, (tuple, list)):
        items = [(f"{'' if prefix else 'output_'}{place}", v) for place, v in enumerate(result)]
    else:
        return ()
    return tuple(
        name
        for key, value in items
        for name in names_of_outputs(value, f"{prefix}_{key}" if prefix else key)
    )


def _by_argument(given: Any, arguments: list[str], where: str) -> dict[str, Any]:
    if isinstance(given, Mapping):
        unknown = sorted(set(map(str, given)) - set(arguments))
        if unknown and arguments:
            from diagnostics.did_you_mean import did_you_mean

            raise CatalogError(
                f"{where}: forward takes no input `{unknown[0]}`{did_you_mean(unknown[0], arguments)}"
            )
        return {str(key): value for key, value in given.items()}
    values = given if isinstance(given, (tuple, list)) else (given,)
    if len(values) > len(arguments):
        raise CatalogError(
            f"{where}: {len(values)} inputs, and forward takes {', '.join(arguments) or 'none by name'}; expected at"
            " most one input per argument"
        )
    return dict(zip(arguments, values, strict=False))


def _run(module: Any, values: Mapping[str, Any], where: str) -> Any:
    import torch

    try:
        with torch.inference_mode():
            torch.manual_seed(0)
            return module(**values)
    except Exception as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        shapes = ", ".join(f"{key} {_shape(value)}" for key, value in values.items())
        raise CatalogError(
            f"{where}: forward raises {type(error).__name__} on its inputs ({shapes}): {line}"
        ) from error


def _batch_axes(
    module: Any, values: Mapping[str, Any], batched: list[str], where: str
) -> tuple[dict[str, dict[int, str]], str]:
    """Return input -> {0: "batch"} if the module takes one sample and two, else nothing and the reason."""
    import torch

    from suite.flat_tensors import flatten_outputs

    extents = {_extent(values[key]) for key in batched}
    if not batched:
        return {}, "the inputs have no axis for samples"
    if len(extents) != 1:
        return {}, f"the first axes of the inputs differ: {sorted(extents)}"
    shapes = []
    for count in (1, 2):
        some = {k: _rows(v, count) if k in batched else v for k, v in values.items()}
        try:
            found = flatten_outputs(_run(module, some, where))
        except CatalogError as error:
            return {}, f"it does not take {count} sample{'s' * (count > 1)}: {error}"
        shapes.append([tuple(t.shape) for t in found])
    if len(shapes[0]) != len(shapes[1]):
        return {}, "it returns another number of tensors for two samples"
    scaled = any(a and b and a[0] * 2 == b[0] for a, b in zip(*shapes, strict=True))
    if not scaled:
        return {}, f"two samples are answered like one: {shapes[0]}"
    assert all(isinstance(values[key], torch.Tensor) for key in batched)
    return {key: {0: BATCH} for key in batched}, ""


def _takes_half(module: Any, values: Mapping[str, Any], axes: Mapping[str, int]) -> bool:
    """Return whether the model answers inputs that are half as long along these axes."""
    halves = {
        k: v.narrow(axes[k], 0, v.shape[axes[k]] // 2) for k, v in values.items() if k in axes
    }
    try:
        _run(module, {**values, **halves}, "")
    except CatalogError:
        return False
    return True


def _rows(value: Any, count: int) -> Any:
    import torch

    return value[torch.arange(count) % len(value)]


def _extent(value: Any) -> int:
    """Return the extent of a tensor's first axis; 0 for a scalar, and for a list of tensors."""
    import torch

    return int(value.shape[0]) if isinstance(value, torch.Tensor) and value.ndim else 0


def _shape(value: Any) -> str:
    import torch

    if isinstance(value, torch.Tensor):
        return f"{list(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    return type(value).__name__
