"""Worker side. Fine-tuning strategies: which weights are trained, at which rate, from which step on, and its checks."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from suite.claims import Claim
from suite.flat_tensors import flatten_outputs
from suite.lifecycle import Finetuning
from suite.training.layers import head_of, in_order
from suite.training.loaders import moved
from suite.training.loop import TrainingHistory
from suite.training.setup import TrainingSetup
from suite.training.train_state import TrainState

Watch = Callable[[TrainState, TrainingHistory], str]
LORA_RATE: Final = 4.0
"""Adapters start at zero, so their learning rate is this multiple of the rate for full weights (Hu et al. 2021, table
11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one strategy trains a module."""

    module: nn.Module
    """What is trained: the module, or the module with adapters around it."""
    groups: Sequence[Mapping[str, Any]] | None
    """Optimizer groups; None = all weights at one rate."""
    finish: Callable[[], tuple[nn.Module, list[Claim]]]
    """Called after training; returns the final module and the strategy's claims."""
    num_trainable: int
    """Number of trainable parameters."""
    frozen: Sequence[nn.Module] = ()
    watch: Watch = lambda train_state, history: ""


def full(module: nn.Module, setup: TrainingSetup, own: Finetuning, head: tuple[str, ...]) -> Plan:
    """Train all weights."""
    module.requires_grad_(True)
    parameters = list(module.parameters())
    before = digest(parameters)
    return Plan(
        module=module,
        groups=None,
        finish=lambda: (module, [changed_claim(before, digest(parameters))]),
        num_trainable=numbers(parameters),
    )


def partial(
    module: nn.Module, setup: TrainingSetup, own: Finetuning, head: tuple[str, ...]
) -> Plan:
    """Train the head; the backbone stays bit-identical, including the statistics of its normalization layers."""
    names = head_of(head, in_order(module, _call(module, setup)))
    layers = dict(module.named_modules())
    learning = [p for name in names for p in layers[name].parameters(recurse=False)]
    learns = {id(p) for p in learning}
    for parameter in module.parameters():
        parameter.requires_grad_(id(parameter) in learns)
    kept = [
        tensor
        for tensor in (*module.parameters(), *module.buffers())
        if id(tensor) not in learns and not _lies_in(tensor, names, layers)
    ]
    before, head_before = digest(kept), digest(learning)

    def finish() -> tuple[nn.Module, list[Claim]]:
        same = Claim(
            name="the backbone is bit-identical",
            holds=bool(kept) and digest(kept) == before,
            evidence=f"SHA-256 of {len(kept)} tensors before {before[:12]}, after {digest(kept)[:12]}",
        )
        module.requires_grad_(True)
        return module, [same, changed_claim(head_before, digest(learning))]

    return Plan(
        module=module,
        groups=None,
        finish=finish,
        num_trainable=numbers(learning),
        frozen=[layer for name, layer in layers.items() if _is_leaf(layer) and name not in names],
    )


def layerwise(
    module: nn.Module, setup: TrainingSetup, own: Finetuning, head: tuple[str, ...]
) -> Plan:
    """Train groups of layers from the top down, each at a rate lower by `layer_decay` than the one above; lower groups
    start later (Howard and Ruder 2018, section 3.2: gradual unfreezing).
    """
    groups = depth_groups(
        module, in_order(module, _call(module, setup), is_whole=False), own.groups
    )
    rate = setup.settings.learning_rate
    top = len(groups) - 1
    starts = {n: round(setup.steps * (top - n) / (2 * len(groups))) for n in range(len(groups))}
    begin = [digest(group) for group in groups]
    seen: dict[int, str] = {}
    module.requires_grad_(True)

    def unfreeze(step: int) -> None:
        for number, group in enumerate(groups):
            if step >= starts[number] and number not in seen:
                seen[number] = digest(group)
                for parameter in group:
                    parameter.requires_grad_(True)

    def watch(train_state: TrainState, history: TrainingHistory) -> str:
        unfreeze(train_state.step)
        return ""

    rates = [rate * own.layer_decay ** (top - number) for number in range(len(groups))]
    all_parameters = [p for group in groups for p in group]
    before = digest(all_parameters)
    for group in groups:
        for parameter in group:
            parameter.requires_grad_(False)
    unfreeze(0)

    def finish() -> tuple[nn.Module, list[Claim]]:
        module.requires_grad_(True)
        intact = all(seen.get(n) == begin[n] for n in range(len(groups)))
        moved_all = all(digest(group) != begin[n] for n, group in enumerate(groups))
        return module, [
            Claim(
                name="layers are unfrozen from the top, those below untouched until then",
                holds=intact and len(groups) > 1,
                evidence=f"groups of {[len(g) for g in groups]} tensors from the bottom, unfrozen before steps"
                f" {[starts[n] + 1 for n in range(len(groups))]} of {setup.steps}",
            ),
            Claim(
                name="every group has learnt in the end",
                holds=moved_all,
                evidence=f"learning rates from the bottom: {', '.join(f'{r:.2g}' for r in rates)}",
            ),
            changed_claim(before, digest(all_parameters)),
        ]

    return Plan(
        module=module,
        groups=[{"params": g, "lr": r} for g, r in zip(groups, rates, strict=True)],
        finish=finish,
        num_trainable=numbers(all_parameters),
        watch=watch,
    )


def lora(module: nn.Module, setup: TrainingSetup, own: Finetuning, head: tuple[str, ...]) -> Plan:
    """Train low-rank adapters on frozen weights and merge them in the end (Hu et al. 2021)."""
    from peft import LoraConfig, get_peft_model

    rank, rate = own.lora_rank, own.lora_rate or LORA_RATE * setup.settings.learning_rate
    base = list(module.state_dict().values())
    before = digest(base)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(own.lora))
    wrapped: Any = get_peft_model(module, config)
    learning = [p for p in wrapped.parameters() if p.requires_grad]
    adapters = digest(learning)
    inputs = _example(setup)

    def outputs(of: nn.Module) -> list[Tensor]:
        of.eval()
        with torch.no_grad():
            return [t.float() for t in flatten_outputs(of(**inputs)) if t.is_floating_point()]

    def finish() -> tuple[nn.Module, list[Claim]]:
        kept = digest(base) == before
        unmerged = outputs(wrapped)
        merged_module: nn.Module = wrapped.merge_and_unload()
        merged = outputs(merged_module)
        error = max(
            float((a - b).abs().max() / b.abs().max().clamp_min(1e-6))
            for a, b in zip(merged, unmerged, strict=True)
        )
        merged_module.requires_grad_(True)
        return merged_module, [
            Claim(
                name="the weights under the adapters are bit-identical",
                holds=kept,
                evidence=f"SHA-256 of {len(base)} tensors before merging as before training: {kept}",
            ),
            Claim(
                name="merged output equals unmerged output",
                holds=error < 1e-3,
                evidence=f"largest difference {error:.2g} of the output's magnitude; expected below 1e-3",
            ),
            changed_claim(adapters, digest(learning)),
        ]

    return Plan(
        module=wrapped,
        groups=[{"params": learning, "lr": rate}],
        finish=finish,
        num_trainable=numbers(learning),
    )


def depth_groups(
    module: nn.Module, layers: Sequence[str], num_groups: int
) -> list[list[nn.Parameter]]:
    """Return all weights in `num_groups` groups from the bottom to the top of the forward pass, each weight once.

    `layers` are the layers that run, in order. All other weights (position embeddings and class tokens of the model
    itself, layers that do not run) belong to the bottom group.
    """
    known = dict(module.named_modules())
    taken: set[int] = set()
    stacked: list[list[nn.Parameter]] = []
    for name in layers:
        own = [p for p in known[name].parameters(recurse=False) if id(p) not in taken]
        taken |= {id(p) for p in own}
        if own:
            stacked.append(own)
    count = min(num_groups, len(stacked))
    bounds = [round(i * len(stacked) / count) for i in range(count + 1)]
    groups = [
        [p for layer in stacked[begin:end] for p in layer]
        for begin, end in itertools.pairwise(bounds)
    ]
    # Parameters of the model itself, and layers that this forward pass skips.
    groups[0] += [p for p in module.parameters() if id(p) not in taken]
    return groups


def digest(tensors: Iterable[Tensor]) -> str:
    """Return the SHA-256 over the bytes of the tensors."""
    found = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        found.update(array.data)
    return found.hexdigest()


def numbers(parameters: Iterable[nn.Parameter]) -> int:
    """Return the total number of elements."""
    return sum(p.numel() for p in parameters)


def changed_claim(before: str, after: str) -> Claim:
    """Check that the trained weights changed."""
    return Claim(
        name="what was to learn has changed",
        holds=before != after,
        evidence=f"SHA-256 of the trainable weights before {before[:12]}, after {after[:12]}",
    )


def _example(setup: TrainingSetup) -> Mapping[str, Any]:
    return moved(next(setup.batches(batch=2)), setup.device).inputs


def _call(module: nn.Module, setup: TrainingSetup) -> Callable[[], Any]:
    inputs = _example(setup)
    module.eval()
    return lambda: module(**inputs)


def _is_leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None


def _lies_in(tensor: Tensor, names: Iterable[str], layers: Mapping[str, nn.Module]) -> bool:
    """Return True if a buffer belongs to one of those layers: the head's own statistics may change."""
    return any(tensor is buffer for name in names for buffer in layers[name].buffers(recurse=False))
