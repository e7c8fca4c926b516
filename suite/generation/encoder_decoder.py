"""Worker side. Encoder-decoder models whose forward follows transformers' convention: encode once, decode many times.

That is: it takes `input_ids`, `attention_mask`, `decoder_input_ids`, `encoder_outputs`, `past_key_values` and
`use_cache`, and returns an object with `logits`, `past_key_values` and `encoder_last_hidden_state`. The cache holds the
keys and values of the decoded tokens and, from the first pass on, of the encoder's output (cross-attention).
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from suite.data.bpe import START
from suite.generation.decoder import Decoder, State
from suite.worker.errors import Unsupported

NEEDED: Final = (
    *("input_ids", "attention_mask", "decoder_input_ids"),
    *("encoder_outputs", "past_key_values", "use_cache"),
)
"""Arguments of forward by which such a model is known."""


def encoder_decoder(module: Any, name: str) -> Decoder:
    """Return the decoder of a module in eager PyTorch: the prompt is the encoder's input, on the right of it padding.

    The first token follows from the start token of the model's configuration, or ours. Raise Unsupported, naming the
    model, if it returns no cache.
    """
    start = start_of(getattr(module, "config", None))

    def run(ids: Tensor, state: State, **given: Any) -> Any:
        result = module(
            attention_mask=state.mask,
            decoder_input_ids=ids,
            past_key_values=state.cache,
            use_cache=True,
            **given,
        )
        state.cache = getattr(result, "past_key_values", None)
        if state.cache is None:
            raise Unsupported(
                f"{name} returned no cache although use_cache was True; next: leave `generate` out for it"
            )
        state.length += ids.shape[1]
        return result

    def read(ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, State]:
        mask = torch.ones_like(ids) if mask is None else mask
        state = State(cache=None, length=0, mask=mask, source=ids.shape[1])
        result = run(torch.full_like(ids[:, :1], start), state, input_ids=ids)
        state.encoded = result.encoder_last_hidden_state
        logits: Tensor = result.logits[:, -1]
        return logits, state

    def step(ids: Tensor, state: State) -> Tensor:
        result = run(ids, state, input_ids=None, encoder_outputs=(state.encoded,))
        logits: Tensor = result.logits[:, -1]
        return logits

    def full(prompt: Tensor, tokens: Tensor) -> Tensor:
        ids = torch.cat([torch.full_like(tokens[:1], start), tokens[:-1]])[None]
        result = module(
            input_ids=prompt[None],
            attention_mask=torch.ones_like(prompt)[None],
            decoder_input_ids=ids,
            use_cache=False,
        )
        logits: Tensor = (result if isinstance(result, Tensor) else result.logits)[0]
        return logits

    return Decoder(read=read, step=step, full=full, is_encoder_decoder=True)


def start_of(config: Any) -> int:
    """Return the id that decoding begins with."""
    names = ("decoder_start_token_id", "bos_token_id", "pad_token_id")
    told = (getattr(config, name, None) for name in names)
    return next((int(value) for value in told if isinstance(value, int)), START)
