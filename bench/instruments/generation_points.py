"""Points of a generation: which prompts are measured at which depths, as far as the model's positions go."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bench.instruments.options import GenerateOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What is measured, and what is not."""

    prompts: tuple[int, ...]
    num_new: int
    depths: dict[int, tuple[int, ...]]
    """Depth -> the prompts that fit behind it; the first one is decoded, too."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Prompt or depth -> reason."""

    @property
    def longest(self) -> int:
        """Most tokens that one request reads, context and prompt together."""
        return max(depth + max(prompts) for depth, prompts in self.depths.items())

    def few(self, num_depths: int = 2) -> Points:
        """Return what other modes than the first are measured at: the first prompt, at the first depths."""
        depths = {depth: self.depths[depth][:1] for depth in [*self.depths][:num_depths]}
        return replace(self, depths=depths, left_out={})


def points_of(asked: GenerateOptions, limit: int, *, is_encoder_decoder: bool = False) -> Points:
    """Return the points for a model of `limit` positions (0 = no limit); behind an encoder, prompt and decoded tokens
    have positions of their own, and only the first prompt is measured at depths.

    Default prompts that are too long are left out; where none fits, half of the positions are the prompt. Raise
    ValueError for a prompt of the user's that does not fit.
    """
    new, left_out = asked.num_new, {}

    def fits(depth: int, prompt: int) -> bool:
        needed = max(prompt, depth + new + 1) if is_encoder_decoder else depth + prompt + new
        return not limit or needed <= limit

    prompts = tuple(p for p in asked.prompts if fits(0, p))
    for prompt in asked.prompts:
        if prompt not in prompts:
            left_out[f"prompt {prompt}"] = _too_many(0, prompt, new, limit)
    if left_out and asked.has_own_prompts:
        name, reason = next(iter(left_out.items()))
        raise ValueError(f"{name}: {reason}; next: a smaller --prompt or --new")
    if not prompts:
        prompts = (max(1, limit // 2),)
        new = max(2, min(new, limit - prompts[0]))
    depths = {}
    for depth in asked.depths:
        behind = prompts[:1] if is_encoder_decoder and depth else prompts
        fitting = tuple(p for p in behind if fits(depth, p))
        if fitting:
            depths[depth] = fitting
        else:
            left_out[f"depth {depth}"] = _too_many(depth, prompts[0], new, limit)
    if not depths:
        reason = next(iter(left_out.values()))
        raise ValueError(
            f"no depth fits: {reason}; next: --depth 0, or a smaller --prompt or --new"
        )
    return Points(prompts=prompts, num_new=new, depths=depths, left_out=left_out)


def _too_many(depth: int, prompt: int, new: int, limit: int) -> str:
    """Return the reason in numbers; of an encoder-decoder's prompt or depth either alone can be too many."""
    parts = f"{depth} + {prompt} + {new}" if depth else f"{prompt} + {new}"
    return f"{parts} tokens are more than its {limit:,} positions"
