"""Worker side. Causal language models whose forward follows transformers' convention for caches.

That is: it takes `input_ids`, `past_key_values` and `use_cache`, and returns an object with `logits` and
`past_key_values`. Nothing is asked of the cache itself: it is whatever the model returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from suite.generation.decoder import Decoder, State
from suite.tasks.ready_inputs import forward_arguments
from suite.worker.errors import Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffers:
    """A cache of fixed size, in place of the one that a model makes itself."""

    capacity: int
    """Tokens that it has room for."""
    make: Callable[[int], Any]
    """Returns an empty one for so many samples."""
    step: Callable[..., Any] | None = None
    """The forward of one token, e.g. compiled; None = the module's own."""


NEEDED: Final = ("input_ids", "past_key_values", "use_cache")
"""Arguments of forward without which a model has no cache that we know."""


def causal_decoder(module: Any, name: str, buffers: Buffers | None = None) -> Decoder:
    """Return the decoder of a module in eager PyTorch, with the cache that it makes itself, or that of `buffers`.

    Raise Unsupported, naming the model, if its forward takes no cache or returns none.
    """
    takes = forward_arguments(module)
    missing = [argument for argument in NEEDED if argument not in takes]
    if missing:
        raise Unsupported(
            f"{name} has no cache: its forward takes no `{missing[0]}`; next: a forward with input_ids, past_key_values"
            " and use_cache, as transformers' models have it"
        )
    # Logits of the last token are all that generating needs; over a prompt the others cost more than a layer.
    last = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}

    def run(ids: Tensor, state: State) -> Tensor:
        padding = _padding(state, ids.shape[1], takes)
        forward = module
        if buffers and buffers.step is not None and ids.shape[1] == 1:
            forward = buffers.step
        result = forward(
            input_ids=ids, past_key_values=state.cache, use_cache=True, **last, **padding
        )
        state.cache = getattr(result, "past_key_values", None)
        if state.cache is None:
            raise Unsupported(
                f"{name} returned no cache although use_cache was True; next: leave `generate` out for it"
            )
        state.length += ids.shape[1]
        logits: Tensor = result.logits[:, -1]
        return logits

    def read(ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, State]:
        state = State(cache=None, length=0, mask=mask)
        if buffers:
            # One shape of mask for every step: what follows is not seen yet, whatever the mask says.
            state.cache, state.capacity = buffers.make(len(ids)), buffers.capacity
            state.mask = ids.new_ones(len(ids), buffers.capacity)
            if mask is not None:
                state.mask[:, : mask.shape[1]] = mask
        return run(ids, state), state

    def step(ids: Tensor, state: State) -> Tensor:
        if state.mask is not None and not buffers:
            state.mask = torch.cat([state.mask, torch.ones_like(ids)], dim=1)
        return run(ids, state)

    def full(prompt: Tensor, tokens: Tensor) -> Tensor:
        ids = torch.cat([prompt, tokens[:-1]])[None]
        logits: Tensor = module(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 :]
        return logits

    return Decoder(read=read, step=step, full=full)


def _padding(state: State, count: int, takes: list[str]) -> dict[str, Tensor]:
    """Return the arguments that tell the model of padding on the left: mask, and positions that do not count it."""
    if state.mask is None:
        return {}
    seen = state.mask[:, : state.length + count]
    # A slice has other strides at every step (of one number, too), for which a compiled step is compiled anew.
    places = (
        (seen.cumsum(1) - 1).clamp(min=0)[:, -count:].clone(memory_format=torch.contiguous_format)
    )
    given = {"attention_mask": state.mask, "position_ids": places}
    return {name: value for name, value in given.items() if name in takes}
