"""Result of generating text token by token: the points measured, the cache, and whether the tokens agree."""

from __future__ import annotations

from dataclasses import dataclass, field

from suite.claims import Claim
from suite.results.measuring import RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """The first place where generated tokens and full recomputation choose different tokens."""

    prompt: int
    """Number of the prompt, from 0."""
    step: int
    """Number of the generated token, from 0."""
    token: int
    """What was generated."""
    expected: int
    """What full recomputation in float32 chooses on the same tokens."""
    margin: float
    """How far the expected token's logit is above the other's, in full recomputation."""
    is_near_tie: bool
    """Whether rounding alone can turn the choice: the margin is below the error that is allowed to two logits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAgreement:
    """Greedy decoding with the cache against full recomputation without one, on the tokens that were generated."""

    num_prompts: int
    lengths: tuple[int, ...] = ()
    """Tokens of each prompt; they are read as one batch, padded on the left (for an encoder on the right)."""
    num_tokens: int
    """Tokens generated after each prompt."""
    num_equal: int
    """Tokens, of all prompts together, that full recomputation in float32 chooses too."""
    partings: tuple[Parting, ...] = ()
    """First parting of each prompt that has one."""
    error: float
    """Largest root mean square error over a step's logits, relative to the scale of the logits."""
    own_error: float
    """The same of full recomputation in the cell's own precision; with the cache it may be as large by rounding."""
    limit: float
    """Error from which the cache is wrong."""
    judged_by: str
    """Precision of the reference for both errors."""

    @property
    def is_right(self) -> bool:
        """Whether the cache changes the logits by no more than rounding does."""
        return self.error <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationPoint:
    """One prompt length at one depth; its times are in the measurements with the same `prompt` and `depth`."""

    prompt: int
    """Tokens read at once: the prefill."""
    depth: int
    """Tokens that were in the cache before it; of an encoder-decoder, tokens decoded before."""
    num_decoded: int = 0
    """Tokens decoded after the first one; 0 = decoding was measured with another prompt at this depth."""
    cache_bytes: int = 0
    """Bytes of keys and values after the last token, counted on the tensors."""
    formula_bytes: int | None = None
    """The same by formula, from the model's configuration; None if it tells too little."""
    stopped_because: str = ""
    """interval (the times are known well enough) or time_cap."""
    mode: str = ""
    """A `GenerationMode`; its measurements name it, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationMode:
    """One kind of cache with one format of the weights, as one backend runs them."""

    name: str = ""
    """Empty for the backend's first one."""
    cache: str = ""
    """dynamic (grown by concatenation), static (buffers of fixed size), carried (tensors that go into a graph and come
    out of it), or in_place (buffers that a graph's attention writes into)."""
    is_exact: bool = True
    """Whether its tokens must be those of full recomputation; weights in fewer bits may part."""
    file_bytes: int | None = None
    """Bytes of the graph with its weights on disk; None without a graph."""
    read_bytes: int = 0
    """Bytes of the weights that one step of decoding reads; 0 = not known."""
    perplexity: float | None = None
    """On the first tokens of the prompts' text, decoded one by one; None where it was not computed."""
    perplexity_tokens: int = 0
    compile_seconds: float | None = None
    """Time of the first decoded token more than that of the second: compilation; None if nothing is compiled."""
    operators: dict[str, float] = field(default_factory=dict)
    """Operator -> its own seconds per decoded token, from a profile apart; empty if none was made."""
    agreement: TokenAgreement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateResult(RunResult):
    """Text generated token by token."""

    plan: str = ""
    num_new: int = 0
    """Tokens generated per request, the first one included."""
    positions: int = 0
    """Longest context of the model; 0 = no limit is known."""
    cache: str = ""
    """Kind of cache of the first mode."""
    read_bytes: int = 0
    """Bytes of the weights that one step of decoding reads in the first mode; 0 = not known."""
    modes: tuple[GenerationMode, ...] = ()
    """Those that were measured, the first one first."""
    points: tuple[GenerationPoint, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    """Prompt or depth that was not measured -> reason."""
    absent: dict[str, str] = field(default_factory=dict)
    """Metric that is unavailable here -> reason."""
    agreement: TokenAgreement | None = None
    """Of the first mode."""
    emulated: str = ""
    """Why the cell's dtype is slower on this device than on one that has it; empty if the device has it."""
    prompts: str = ""
    """Where the ids come from."""
    claims: tuple[Claim, ...] = ()
    """Claims that must hold; a broken claim fails the step."""
