"""Worker side. The pruning of one module: what was removed, verified, and a check that the rest still runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor, nn

from suite.flat_tensors import flatten_outputs
from suite.lifecycle import Pruning
from suite.macs import count_macs
from suite.pruning.attention import prune_feed_forward, prune_heads
from suite.pruning.errors import OutputsChanged, PruningError
from suite.pruning.graph import UNREAD, UNREADABLE, Group, conclude, prune_groups
from suite.pruning.layers import modules_named
from suite.pruning.proof import proof_inputs
from suite.pruning.recurrent import prune_recurrent
from suite.pruning.request import PruningRequest
from suite.pruning.structure import changes, structure_of
from suite.pruning.traced import AT_THE_END
from suite.pruning.traced_cut import cut_traced
from suite.pruning.transforms import apply_transforms
from suite.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """A count before and after."""

    before: int
    after: int

    @property
    def left(self) -> float:
        """The share (0..1) that is left."""
        return self.after / self.before if self.before else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """A pruned module and a record of what changed."""

    module: nn.Module
    """A new module in eval mode; the original is unchanged."""
    structure: dict[str, Any]
    """JSON-able: with the state dict, all that `suite.pruning.structure.restore` needs."""
    importance: str
    """magnitude or Taylor: the criterion; the least important channels were removed first."""
    parameters: Fall
    macs: Fall
    """Multiply-accumulates of one forward pass on the inputs."""
    changes: dict[str, dict[str, list[Any]]]
    """Module -> attribute -> [before, after]."""
    uncut: tuple[str, ...] = ()
    """Why layers were left whole, a sentence each."""


def prune_module(
    module: nn.Module,
    spec: ModelSpec,
    size: str,
    inputs: Mapping[str, Any],
    *,
    loss: Callable[[nn.Module], Tensor] | None = None,
) -> Pruned:
    """Return a copy of `module` pruned as its record says (`spec.sizes[size].pruning`), on the CPU.

    `inputs` are keyword arguments of its forward: the batch for which MACs are counted. With `loss` (called once, with
    the module in eval mode) importance is the Taylor expansion of that loss, else the magnitude of weights. Raises
    PruningError when nothing was removed, when more is left than the record allows, when the copy does not run on the
    inputs or its output shapes differ, and when it cannot be restored from its structure and its weights.
    """
    pruning = spec.sizes[size].pruning
    if not 0 < pruning.ratio < 1:
        raise PruningError(
            f"{spec.name}: Pruning.ratio is {pruning.ratio!r}, which removes nothing or everything; expected a share"
            " above 0 and below 1"
        )
    if pruning.method not in METHODS:
        raise PruningError(
            f"{spec.name}: Pruning.method is {pruning.method!r}; expected one of {', '.join(METHODS)}"
        )
    try:
        pruned = deepcopy(module).eval()
    except RuntimeError as error:
        raise PruningError(
            f"{spec.name}: it cannot be copied: {_first_line(error)} Next: where torch.nn.utils.weight_norm or"
            " torch.nn.utils.prune made its weights, call remove_weight_norm or prune.remove before"
        ) from error
    before = _measure(pruned, inputs)
    uncut = _cut(pruned, spec, pruning, inputs, loss)
    _restore_flags(pruned, module)
    parameters = sum(p.numel() for p in pruned.parameters())
    if parameters >= before.parameters:
        raise PruningError(
            f"{spec.name}: nothing was removed: {before.parameters:,} parameters before and {parameters:,} after"
            f" {pruning.method} at ratio {pruning.ratio:g}. Expected fewer; next: another Pruning.method, fewer"
            " Pruning.ignored, or a smaller Pruning.round_to"
        )
    try:
        after = _measure(pruned, inputs)
    except Exception as error:  # anything that the model's own forward raises
        raise PruningError(
            f"{spec.name}: pruned by {pruning.method}, it does not run any more: {_first_line(error)}. Next: name the"
            " modules around that layer in Pruning.ignored, or choose another Pruning.method"
        ) from error
    if before.shapes != after.shapes:
        raise OutputsChanged(
            f"{spec.name}: outputs of shape {before.shapes} became {after.shapes}; next: name the module that gives"
            " them in ModelSpec.head or Pruning.ignored"
        )
    structure = structure_of(pruned, module)
    _check_ties(spec, pruned, module)
    made = Pruned(
        module=pruned,
        structure=structure,
        importance="Taylor" if loss else "magnitude",
        parameters=Fall(before=before.parameters, after=after.parameters),
        macs=Fall(before=before.macs, after=after.macs),
        changes=changes(pruned, module),
        uncut=tuple(uncut),
    )
    _check_left(spec, pruning, made)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    parameters: int
    macs: int
    shapes: list[list[int | None]]
    """Output shapes; None where the extent depends on data."""


def _measure(module: nn.Module, inputs: Mapping[str, Any]) -> _Measured:
    """Run one forward pass without gradients and count its MACs."""
    results: list[list[Tensor]] = []
    macs = count_macs(module, lambda: results.append(flatten_outputs(module(**inputs))))
    # A detector takes a list of pictures and returns a variable number of detections for each.
    is_list = any(not isinstance(value, Tensor) for value in inputs.values())
    return _Measured(
        parameters=sum(p.numel() for p in module.parameters()),
        macs=macs,
        shapes=[[None, *t.shape[1:]] if is_list else list(t.shape) for t in results[0]],
    )


def _cut(
    module: nn.Module,
    spec: ModelSpec,
    pruning: Pruning,
    inputs: Mapping[str, Any],
    loss: Callable[[nn.Module], Tensor] | None,
) -> list[str]:
    """Prune in place; return why groups of layers were left whole, a sentence each."""
    for parameter in module.parameters():
        parameter.requires_grad_(True)  # Torch-Pruning follows channels along gradients
    apply_transforms(module)
    if loss is not None:
        with torch.enable_grad():
            value = loss(module)
            value.backward()  # type: ignore[no-untyped-call]
        if not torch.isfinite(value):
            raise PruningError(
                f"{spec.name}: the loss is {value.item()}, by which nothing can be ranked; expected a finite number"
            )
        for parameter in module.parameters():
            if parameter.grad is None:  # takes no part in this loss
                parameter.grad = torch.zeros_like(parameter)
    request = PruningRequest(
        module=module,
        inputs=inputs,
        pruning=pruning,
        kept=modules_named(module, (*spec.head, *pruning.ignored)),
        has_gradients=loss is not None,
    )
    try:
        METHODS[pruning.method](request)
    except PruningError as error:
        raise PruningError(f"{spec.name}: {error}") from error
    except Exception as error:  # Torch-Pruning's errors have no common class
        raise PruningError(
            f"{spec.name}: {pruning.method} failed with {type(error).__name__}: {_first_line(error)}. Next: name the"
            " modules that it cannot handle in Pruning.ignored, or choose another Pruning.method"
        ) from error
    return request.left


def _restore_flags(pruned: nn.Module, original: nn.Module) -> None:
    """Clear the gradients and restore each parameter's `requires_grad`."""
    frozen = {name for name, p in original.named_parameters() if not p.requires_grad}
    for name, parameter in pruned.named_parameters():
        parameter.grad = None
        parameter.requires_grad_(name not in frozen)


def _check_ties(spec: ModelSpec, pruned: nn.Module, original: nn.Module) -> None:
    """Raise PruningError when tied tensors are no longer tied."""
    after = pruned.state_dict(keep_vars=True)
    first: dict[int, str] = {}
    for name, tensor in original.state_dict(keep_vars=True).items():
        twin = first.setdefault(id(tensor), name)
        if after[twin] is not after[name]:
            raise PruningError(
                f"{spec.name}: {twin} and {name} are one tensor, and pruning changed one of them alone; next: name"
                " their modules in Pruning.ignored"
            )


def _check_left(spec: ModelSpec, pruning: Pruning, made: Pruned) -> None:
    for what, row, most in (
        ("parameters", made.parameters, pruning.parameters_left),
        ("macs", made.macs, pruning.macs_left),
    ):
        if row.left > most:
            raise PruningError(
                f"{spec.name}: {row.after:,} of {row.before:,} {what} are left, a share of {row.left:.3f};"
                f" expected {most:g} at most (Pruning.{what}_left).{_reasons(made.uncut)} Next: a higher"
                " Pruning.ratio, fewer Pruning.ignored, or another method"
            )


def _reasons(uncut: Sequence[str]) -> str:
    """Return why so much is left, if groups of layers could not be cut."""
    return f" Layers that stayed whole: {'; '.join(uncut[:3])}." if uncut else ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# The pruning methods, by the name in the record.


def prune_channels(request: PruningRequest) -> None:
    """Remove output channels of convolutions and Linear layers; normalizations and consumers follow.

    A layer without consumers produces the model's output and keeps its outputs. Raises PruningError when no other layer
    is left.
    """

    def is_read(group: Group) -> bool:
        return bool(group.consumers)

    outcome = prune_groups(request, is_read)
    inputs, num_cut, whole = proof_inputs(request.inputs), outcome.num_cut, dict(outcome.whole)
    names = {layer: name for name, layer in request.module.named_modules()}
    for layer, reason in outcome.whole.items():
        if layer in request.kept:
            continue
        if found := cut_traced(request.module, layer, inputs, request.pruning):
            if reason.startswith(UNREADABLE):
                whole[layer] = (
                    UNREAD if found == AT_THE_END else f"{names[layer]} keeps its outputs: {found}"
                )
            elif reason != UNREAD and found not in reason:
                whole[layer] = f"{reason}; {found}"
        else:
            num_cut += 1
            del whole[layer]
    conclude(request, replace(outcome, whole=whole, num_cut=num_cut))
    if not outcome.groups and not num_cut:
        raise PruningError(
            "nothing is prunable: no convolution and no Linear layer outside ModelSpec.head and Pruning.ignored"
            " is read by another one"
        )


METHODS: Final[dict[str, Callable[[PruningRequest], None]]] = {
    "channels": prune_channels,
    "heads": prune_heads,
    "feed_forward": prune_feed_forward,
    "recurrent": prune_recurrent,
}
"""`Pruning.method` -> the function that performs it."""
