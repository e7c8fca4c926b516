"""What the memory of a model depends on: how many numbers it holds, and the extents of its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A quantity between two bounds, both of them possible; equal where it is known."""

    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Self:
        """Return the interval of a known value."""
        return cls(low=value, high=value)

    @property
    def is_exact(self) -> bool:
        """True when nothing is left open."""
        return self.low == self.high

    def __add__(self, other: Interval) -> Interval:
        return Interval(low=self.low + other.low, high=self.high + other.high)

    def times(self, low: float, high: float | None = None) -> Interval:
        """Return the interval scaled by a factor, or by one between two."""
        return Interval(low=self.low * low, high=self.high * (low if high is None else high))


NOTHING = Interval(low=0.0, high=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentCache:
    """Multi-head latent attention (DeepSeek): what is kept per token and layer."""

    compressed: int
    """Elements of the compressed cache: kv_lora_rank + qk_rope_head_dim."""
    expanded: int
    """Elements where keys and values are expanded before they are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """The extents of a transformer; from its `config.json`."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate: int
    """Width of the feed-forward part; of a mixture, of the experts that one token uses together."""
    vocabulary: int
    has_cache: bool = True
    """False for encoders: they read all of their input at once."""
    windows: tuple[int | None, ...] = ()
    """Tokens that the cache of each attention layer keeps, None for all; empty: all layers, all tokens."""
    latent: LatentCache | None = None
    has_cross_attention: bool = False
    """Decoders that also keep keys and values of the encoder's output."""
    positions: int = 0
    """The longest context that the model was made for, 0 where it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as far as its source tells."""

    source: str
    """The file, folder or number it was read from."""
    how: str
    """How the parameters were counted."""
    parameters: Interval
    small: Interval = NOTHING
    """Those of them that quantization leaves in 16 bits: embeddings, the output layer, norms."""
    stored_bytes: int | None = None
    """Bytes of the weights in the file itself, None where only a shape is known."""
    stored_dtype: str = ""
    """The type of most of them, as in the tables of `memory`."""
    transformer: Transformer | None = None
    notes: tuple[str, ...] = ()
    """What was not counted, in sentences."""
