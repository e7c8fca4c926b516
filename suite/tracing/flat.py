"""Worker side. Flat call interface of a module: named tensors in, a flat tuple out, as ONNX requires."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from suite.flat_tensors import flatten_inputs, flatten_outputs

if TYPE_CHECKING:
    from torch import Tensor, nn


def nested_inputs(like: Mapping[str, Any], tensors: Sequence[Tensor]) -> dict[str, Any]:
    """Return keyword arguments nested like `like`, from tensors in the order of `flatten_inputs(like)`."""
    import torch

    left = iter(tensors)
    return {
        name: next(left) if isinstance(value, torch.Tensor) else [next(left) for _ in value]
        for name, value in like.items()
    }


def num_results(inputs: Mapping[str, Any]) -> int:
    """Return the number of results of a call: one per item of an input that is a list, else one."""
    return max((len(v) for v in inputs.values() if isinstance(v, (list, tuple))), default=1)


def names_of_outputs(names: Sequence[str], num_tensors: int, num_results: int = 1) -> list[str]:
    """Return one name per output tensor; for several results (detection on two images) `boxes_0`, `scores_0`, `boxes_1`
    ...

    Raises ValueError if the model returns another number of tensors than there are names.
    """
    if num_tensors != len(names) * num_results:
        raise ValueError(
            f"the model returns {num_tensors} tensors, but its record names {len(names)}"
            f" ({', '.join(names)}) for each of {num_results} results; give `outputs` one name per"
            " tensor, in order"
        )
    if num_results == 1:
        return list(names)
    return [f"{name}_{i}" for i in range(num_results) for name in names]


@contextmanager
def flat_forward(
    module: nn.Module, inputs: Mapping[str, Any], outputs: Sequence[str] = ()
) -> Iterator[None]:
    """Within the block, `module(*tensors)` takes the flat inputs by name and returns a tuple of tensors; values of a
    dictionary are in the order of `outputs`.

    The module becomes an instance of a subclass with another `forward`. A wrapper would prefix every weight's name, and
    a `forward` on the instance makes torch.export look for constants in its closure.
    """
    kind = type(module)
    own = module.__dict__.pop("forward", None)  # a forward that was set on the instance
    original = own or kind.forward.__get__(module)
    parameter = inspect.Parameter
    names = ["self", *flatten_inputs(inputs)]
    signature = inspect.Signature(
        [parameter(name, parameter.POSITIONAL_OR_KEYWORD) for name in names]
    )

    def forward(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        _, *tensors = signature.bind(*args, **kwargs).arguments.values()
        return tuple(flatten_outputs(original(**nested_inputs(inputs, tensors)), outputs))

    forward.__signature__ = signature  # type: ignore[attr-defined]
    same = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    module.__class__ = type(kind.__name__, (kind,), {"forward": forward, **same})
    try:
        yield
    finally:
        module.__class__ = kind
        if own is not None:
            module.__dict__["forward"] = own
