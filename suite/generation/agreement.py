"""Worker side. The same tokens: greedy decoding with a cache against full recomputation without one.

Tokens alone are a weak test: a cache that is wrong by one position can choose the same tokens for a long time. So the
logits of every step are compared, with the tolerance that rounding has on this very model: full recomputation in the
cell's precision is held against a higher one, and decoding may be a few times as far away as that is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from suite.claims import Claim
from suite.generation.decoder import Decoder
from suite.results.generate import Parting, TokenAgreement
from suite.stages.export.rounding_errors import LEAST_ERROR, PEAK, UNMEASURED

TIMES: Final = 8.0
"""Error of decoding with the cache relative to that of full recomputation from which it is no rounding: other kernels
and another order of summation were within 3 on the models of the catalogue, the smallest planted mistake above 100."""
HIGHER: Final = {"float32": "float64", "bfloat16": "float32", "float16": "float32"}
"""Dtype -> the one that judges it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """Prompts and what was generated after them."""

    prompts: tuple[Tensor, ...]
    """Ids [length] of each prompt, without padding."""
    tokens: Tensor
    """[prompts, n]."""
    logits: Tensor
    """[prompts, n, vocabulary], from which each token was chosen."""


def continued(decoder: Decoder, prompts: Sequence[Tensor], num_tokens: int, pad: int) -> Continued:
    """Return the greedy continuation of the prompts, read as one batch: padded on the left, for an encoder on the
    right. A decoder of one sample at a time reads the rows of that batch one after the other, with their padding.
    """
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), longest), pad, dtype=torch.int64, device=prompts[0].device)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        first = 0 if decoder.is_encoder_decoder else longest - len(prompt)
        ids[row, first : first + len(prompt)] = prompt
        mask[row, first : first + len(prompt)] = 1
    size = 1 if decoder.is_single else len(prompts)
    parts = [
        _continued(decoder, ids[row : row + size], mask[row : row + size], num_tokens)
        for row in range(0, len(prompts), size)
    ]
    tokens, logits = (torch.cat(found) for found in zip(*parts, strict=True))
    return Continued(prompts=tuple(prompts), tokens=tokens, logits=logits)


def _continued(
    decoder: Decoder, ids: Tensor, mask: Tensor, num_tokens: int
) -> tuple[Tensor, Tensor]:
    """Return tokens [batch, n] and the logits [batch, n, vocabulary] from which they were chosen."""
    logits, state = decoder.read(ids, mask if bool((mask == 0).any()) else None)
    kept, tokens = [logits.float().cpu()], [logits.argmax(-1)]
    for _ in range(num_tokens - 1):
        logits = decoder.step(tokens[-1][:, None], state)
        kept.append(logits.float().cpu())
        tokens.append(logits.argmax(-1))
    return torch.stack(tokens, 1), torch.stack(kept, 1)


Full = Callable[[Tensor, Tensor], Tensor]
"""`Decoder.full`."""


def remembered(full: Full) -> Full:
    """Return the function with its results kept: for a prompt and tokens that it has seen nothing is computed again."""
    seen: dict[tuple[tuple[int, ...], tuple[int, ...]], Tensor] = {}

    def found(prompt: Tensor, tokens: Tensor) -> Tensor:
        key = (tuple(prompt.tolist()), tuple(tokens.tolist()))
        if key not in seen:
            seen[key] = full(prompt, tokens).cpu()
        return seen[key]

    return found


def agreement_of(
    found: Continued, own: Full, *, judge: Full | None, reference: Full, dtype: str
) -> TokenAgreement:
    """Compare what was generated with full recomputation.

    `own` recomputes in the cell's precision, `judge` in a higher one (None = its error is assumed), `reference` in
    float32; the same function may be given for two of them.
    """
    errors, own_errors, partings, num_equal, scale = [], [], [], 0, 0.0
    least = LEAST_ERROR * torch.finfo(getattr(torch, dtype)).eps / 2
    expectations = []
    for row, prompt in enumerate(found.prompts):
        tokens = found.tokens[row]
        plain = own(prompt, tokens).float().cpu()
        exact = plain if judge is None else judge(prompt, tokens).cpu()
        expected = plain if reference is own else reference(prompt, tokens).float().cpu()
        size = float(exact.double().std())
        scale = max(scale, size)
        errors.append(_error(found.logits[row], exact, size))
        own_errors.append(UNMEASURED if judge is None else max(least, _error(plain, exact, size)))
        expectations.append(expected)
    limit = TIMES * max(own_errors)
    for row, expected in enumerate(expectations):
        tokens = found.tokens[row].cpu()
        wanted = expected.argmax(-1)
        num_equal += int((wanted == tokens).sum())
        apart = (wanted != tokens).nonzero().flatten()
        if len(apart):
            step = int(apart[0])
            token, other = int(tokens[step]), int(wanted[step])
            margin = float(expected[step, other] - expected[step, token])
            partings.append(
                Parting(
                    prompt=row,
                    step=step,
                    token=token,
                    expected=other,
                    margin=margin,
                    is_near_tie=margin <= 2 * PEAK * limit * scale,
                )
            )
    return TokenAgreement(
        num_prompts=len(found.prompts),
        lengths=tuple(len(prompt) for prompt in found.prompts),
        num_tokens=found.tokens.shape[1],
        num_equal=num_equal,
        partings=tuple(partings),
        error=max(errors),
        own_error=max(own_errors),
        limit=limit,
        judged_by=HIGHER[dtype] if judge is not None else dtype,
    )


def _error(logits: Tensor, exact: Tensor, scale: float) -> float:
    """Return the largest root mean square error of a step's logits, relative to `scale`; infinite if not finite."""
    off = (logits.double() - exact.double()).square().mean(-1).sqrt().max()
    found = float(off) / scale if scale else float(off)
    return found if found == found else float("inf")


def judging(module: Any, dtype: str) -> Any:
    """Return a copy of the module in the precision that judges `dtype`."""
    return copy.deepcopy(module).to(getattr(torch, HIGHER[dtype]))


def claim_of(found: TokenAgreement, mode: str = "") -> Claim:
    """Return the claim that the cache is right, with its figures; `mode` names another than the first."""
    places = f"{found.num_prompts} prompts of {', '.join(map(str, found.lengths))} tokens"
    evidence = (
        f"{found.num_equal} of {found.num_prompts * found.num_tokens} tokens after {places} are those of full"
        f" recomputation; error of the logits {found.error:.2g} of their scale, of full recomputation"
        f" {found.own_error:.2g}; expected at most {found.limit:.2g}"
    )
    if found.partings:
        evidence += f"; {parting_text(found.partings[0])}"
    return Claim(
        name=f"the {f'{mode} ' if mode else ''}cache gives the logits of full recomputation",
        holds=found.is_right,
        evidence=evidence,
    )


def parting_text(parting: Parting) -> str:
    """Return e.g. `prompt 0 parts at token 17: 4711 instead of 42, 0.003 below it (a near-tie)`."""
    kind = "a near-tie" if parting.is_near_tie else "no near-tie"
    return (
        f"prompt {parting.prompt} parts at token {parting.step}: {parting.token} instead of {parting.expected},"
        f" {parting.margin:.2g} below it ({kind})"
    )
