"""Worker side. Decoder: a language model that keeps what it has read, ready to generate token by token."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(slots=True, kw_only=True)
class State:
    """What a model keeps of a batch that it has read; a step changes it in place."""

    cache: Any
    """Keys and values, as the model returned them."""
    length: int
    """Tokens of each sample that the cache covers, padding included; of an encoder-decoder, decoded ones."""
    mask: Tensor | None = None
    """[batch, tokens] int64 of what was read, 1 for tokens and 0 for padding; None = there is none."""
    source: int = 0
    """Tokens of the encoder's input, whose keys and values are in the cache too; 0 = there is no encoder."""
    encoded: Any = None
    """The encoder's output."""
    capacity: int = 0
    """Tokens that the cache's buffers have room for; 0 = they grow with every step."""

    @property
    def num_cached(self) -> int:
        """Tokens of each sample that the cache's tensors have room for: those read, or, in buffers, the capacity."""
        return (self.capacity or self.length) + self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A language model on its backend: the interface that instruments and checks use."""

    read: Callable[[Tensor, Tensor | None], tuple[Tensor, State]]
    """`read(ids, mask)`: logits [batch, vocabulary] after the last token of ids [batch, length], and the state.

    `mask` [batch, length] is 0 for padding, which is on the left, and behind an encoder's input; None = no padding."""
    step: Callable[[Tensor, State], Tensor]
    """`step(ids, state)`: logits [batch, vocabulary] after reading ids [batch, n] behind what the state holds."""
    full: Callable[[Tensor, Tensor], Tensor]
    """`full(prompt, tokens)`: logits [n, vocabulary] from which each of the n tokens follows, without a cache: one pass
    over prompt [length] and tokens [n]. A later token cannot change an earlier logit, so this is what n passes over
    growing texts give."""
    is_encoder_decoder: bool = False
    """Whether an encoder reads the prompt: then depth counts decoded tokens."""
    is_single: bool = False
    """Whether it reads one sample at a time: its graph was made for one user."""


def copied(state: State) -> State:
    """Return a state with tensors of its own."""
    return copy.deepcopy(state)


def num_bytes(state: State) -> int:
    """Return the bytes of the storage behind the cache's tensors, each counted once."""
    storages = {
        t.untyped_storage().data_ptr(): t.untyped_storage() for t in tensors_in(state.cache)
    }
    return sum(storage.nbytes() for storage in storages.values())


def bytes_read(module: Any) -> int:
    """Return the bytes of the weights that one decoded token reads: all but an encoder's own, and an input embedding
    that is not the output layer too, of which a token reads one row. 0 for a module that does not tell these parts.
    """
    if not hasattr(module, "get_input_embeddings") or not hasattr(module, "get_output_embeddings"):
        return 0
    told = [*module.parameters(), *module.buffers()]
    output = getattr(module.get_output_embeddings(), "weight", None)
    left_out = {id(module.get_input_embeddings().weight)} - {id(output)}
    config = getattr(module, "config", None)
    if getattr(config, "is_encoder_decoder", hasattr(module, "get_encoder")):
        shared = {id(tensor) for tensor in module.get_decoder().parameters()} | {id(output)}
        left_out |= {id(tensor) for tensor in module.get_encoder().parameters()} - shared
    return sum(t.numel() * t.element_size() for t in told if id(t) not in left_out)


def tensors_in(held: Any, seen: set[int] | None = None) -> Iterator[Tensor]:
    """Yield the tensors in containers and attributes of objects, to any depth."""
    seen = set() if seen is None else seen
    if id(held) in seen or isinstance(held, (str, bytes, int, float, type, torch.device)):
        return
    seen.add(id(held))
    if isinstance(held, Tensor):
        yield held
    elif isinstance(held, Mapping):
        for value in held.values():
            yield from tensors_in(value, seen)
    elif isinstance(held, Sequence):
        for value in held:
            yield from tensors_in(value, seen)
    elif is_dataclass(held):  # it may have slots in place of a dictionary
        for item in fields(held):
            yield from tensors_in(getattr(held, item.name), seen)
    elif hasattr(held, "__dict__"):
        yield from tensors_in(vars(held), seen)
