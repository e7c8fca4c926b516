"""Worker side. Random inputs of a transformers model, from its main input, its forward and its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from suite.catalog import CatalogError
from suite.tasks.ready_inputs import forward_arguments

IMAGE_SIDE: Final = 224
SECONDS: Final = 1
RATE: Final = 16_000
"""Samples per second of a waveform."""
FRAMES: Final = 100
"""Frames of a spectrogram where the configuration names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What the tensors are made to."""

    length: int
    """Tokens."""
    samples: int = 1


def tensors_for(module: Any, sizes: Sizes) -> dict[str, Any]:
    """Return argument -> tensor, for the arguments that the model cannot do without.

    Raise CatalogError for a main input that is not known here.
    """
    import torch

    config = module.config
    arguments = forward_arguments(module)
    main = getattr(module, "main_input_name", "input_ids")
    wanted = [main, *(n for n in _companions(module, main) if n in arguments and n != main)]
    generator = torch.Generator().manual_seed(0)
    found: dict[str, Any] = {}
    for name in wanted:
        make = MAKERS.get(name)
        if make is None:
            raise CatalogError(
                f"its main input is `{name}`, of which no random one is known here; next: --models my_file.py:build"
                " with example_inputs() that gives it"
            )
        found[name] = make(config, sizes, generator)
    return found


def _companions(module: Any, main: str) -> tuple[str, ...]:
    """Return the inputs that go with the main one."""
    config = module.config
    if main == "input_ids" and "pixel_values" in forward_arguments(module):
        # Models with two towers compare a text with a picture; a language model that sees needs no picture.
        return ("pixel_values",) if hasattr(module, "get_text_features") else ()
    if main == "pixel_values" and _is_two_towers(config):
        return ("input_ids",)
    if getattr(config, "is_encoder_decoder", False):
        return ("decoder_input_ids",)
    return ()


def _is_two_towers(config: Any) -> bool:
    return hasattr(config, "text_config") and hasattr(config, "vision_config")


def _part(config: Any, name: str) -> Any:
    return getattr(config, name, None) or config


def _ids(config: Any, sizes: Sizes, generator: Any) -> Any:
    import torch

    text = _part(config, "text_config")
    vocabulary = int(getattr(text, "vocab_size", 0) or getattr(config, "vocab_size", 256))
    longest = getattr(text, "max_position_embeddings", None)
    # Two positions are kept free: roberta-like models count from the padding's id.
    length = max(2, min(sizes.length, int(longest) - 2)) if longest else sizes.length
    return torch.randint(4, max(5, vocabulary - 1), (sizes.samples, length), generator=generator)


def _pixels(config: Any, sizes: Sizes, generator: Any) -> Any:
    import torch

    vision = _part(config, "vision_config")
    side = getattr(vision, "image_size", None) or IMAGE_SIDE
    height, width = side if isinstance(side, (list, tuple)) else (side, side)
    channels = int(getattr(vision, "num_channels", 3))
    frames = getattr(vision, "num_frames", 0) if hasattr(vision, "tubelet_size") else 0
    shape = (sizes.samples, *((int(frames),) if frames else ()), channels, int(height), int(width))
    return torch.randn(shape, generator=generator)


def _waveform(config: Any, sizes: Sizes, generator: Any) -> Any:
    import torch

    if bins := getattr(config, "num_mel_bins", 0):  # a spectrogram under the same name
        frames = getattr(config, "max_length", FRAMES)
        return torch.randn(sizes.samples, int(frames), int(bins), generator=generator)
    return torch.randn(sizes.samples, SECONDS * RATE, generator=generator)


def _features(config: Any, sizes: Sizes, generator: Any) -> Any:
    import torch

    audio = _part(config, "encoder_config" if hasattr(config, "encoder_config") else "audio_config")
    if positions := getattr(audio, "max_source_positions", 0):
        bins = getattr(audio, "num_mel_bins", 80)
        if hasattr(config, "input_feat_per_channel"):  # frames first, as many as the model may have
            width = int(config.input_feat_per_channel)
            return torch.randn(sizes.samples, FRAMES, width, generator=generator)
        return torch.randn(sizes.samples, int(bins), 2 * int(positions), generator=generator)
    width = getattr(audio, "num_mel_bins", 0) or getattr(audio, "feature_projection_input_dim", 80)
    return torch.randn(sizes.samples, FRAMES, int(width), generator=generator)


MAKERS: Final[Mapping[str, Callable[[Any, Sizes, Any], Any]]] = {
    "input_ids": _ids,
    "decoder_input_ids": _ids,
    "pixel_values": _pixels,
    "input_values": _waveform,
    "input_features": _features,
}
"""Argument -> function that makes a random one."""
