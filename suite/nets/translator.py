"""Worker side. Translator: the sequence-to-sequence network of "Attention is all you need" on nn.Transformer."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from suite.nets.translator_cache import Continuation, Layers, continued


class Translator(nn.Module):
    """Encoder and decoder with one embedding shared by source, target and output, as in the paper (section 3.4)."""

    positions: Tensor

    def __init__(
        self,
        *,
        vocabulary: int,
        width: int,
        heads: int,
        layers: int,
        feed_forward: int,
        longest: int = 512,
        dropout: float = 0.1,
        pad: int = 0,
    ) -> None:
        super().__init__()
        self.scale = math.sqrt(width)
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=pad)
        # Normal(0, 1/sqrt(width)) gives the scaled embedding, and so the tied logits, unit
        # variance.
        nn.init.normal_(self.embedding.weight, std=1.0 / self.scale)
        with torch.no_grad():
            self.embedding.weight[pad].zero_()
        self.register_buffer("positions", sinusoids(longest, width), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.transformer = nn.Transformer(
            d_model=width,
            nhead=heads,
            num_encoder_layers=layers,
            num_decoder_layers=layers,
            dim_feedforward=feed_forward,
            dropout=dropout,
            batch_first=True,
        )
        # Nested tensors would drop the padding, only in evaluation: another shape, a warning, and
        # no export.
        self.transformer.encoder.use_nested_tensor = False

    def forward(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor,
        decoder_input_ids: Tensor,
        encoder_outputs: tuple[Tensor, ...] | None = None,
        past_key_values: Layers | None = None,
        use_cache: bool = False,
    ) -> Tensor | Continuation:
        """Return logits [batch, target, vocabulary] for ids [batch, source], [batch, target] and a mask (1 = token).

        The target needs no padding mask: its padding is on the right, hidden by the causal mask. With `use_cache` the
        target continues what `past_key_values` hold, and `encoder_outputs`, if given, stand for `input_ids`; then the
        result has logits, cache and the encoder's output, as transformers' models name them.
        """
        if use_cache:
            memory = (
                encoder_outputs[0] if encoder_outputs else self._encode(input_ids, attention_mask)
            )
            start = past_key_values[0].keys.shape[2] if past_key_values else 0
            decoded, layers = continued(
                self.transformer.decoder,
                self._embed(decoder_input_ids, start),
                memory,
                attention_mask,
                past_key_values,
            )
            logits = nn.functional.linear(decoded, self.embedding.weight)
            return Continuation(
                logits=logits, past_key_values=layers, encoder_last_hidden_state=memory
            )
        assert input_ids is not None, "only a continuation has no source"
        length = decoder_input_ids.shape[1]
        later = torch.ones(length, length, dtype=torch.bool, device=input_ids.device).triu(1)
        padding = attention_mask == 0
        decoded = self.transformer(
            self._embed(input_ids),
            self._embed(decoder_input_ids),
            tgt_mask=later,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,  # else nn.Transformer compares the mask's values, which torch.export cannot trace
        )
        return nn.functional.linear(decoded, self.embedding.weight)

    def get_encoder(self) -> nn.Module:
        """Return the encoder; this and the next three are named as in transformers' models."""
        return cast(nn.Module, self.transformer.encoder)

    def get_decoder(self) -> nn.Module:
        """Return the decoder."""
        return cast(nn.Module, self.transformer.decoder)

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the one embedding."""
        return self.embedding

    def get_output_embeddings(self) -> nn.Embedding:
        """Return the same one: its weight is the output layer's."""
        return self.embedding

    @property
    def cache_extents(self) -> dict[str, object]:
        """Extents of the cache, by the names of transformers' configurations."""
        decoder = self.get_decoder()
        return {
            "is_encoder_decoder": True,
            "hidden_size": self.transformer.d_model,
            "num_attention_heads": self.transformer.nhead,
            "num_hidden_layers": len(cast(nn.ModuleList, decoder.layers)),
        }

    def _encode(self, ids: Tensor | None, mask: Tensor) -> Tensor:
        """Return the encoder's output [batch, source, width]."""
        assert ids is not None, "a first pass has a source"
        encoded = self.transformer.encoder(self._embed(ids), src_key_padding_mask=mask == 0)
        return cast(Tensor, encoded)

    def _embed(self, ids: Tensor, start: int = 0) -> Tensor:
        """Embed ids [batch, length], of which the first has the position `start`, as [batch, length, width]."""
        places = self.positions[start : start + ids.shape[1]]
        return cast(Tensor, self.dropout(self.embedding(ids) * self.scale + places))


def sinusoids(longest: int, width: int) -> Tensor:
    """Return the position encodings [longest, width] of Vaswani et al. 2017, section 3.5; `width` must be even."""
    place = torch.arange(longest, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    return torch.stack((torch.sin(place * rate), torch.cos(place * rate)), dim=-1).flatten(1)
