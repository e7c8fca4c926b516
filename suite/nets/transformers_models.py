"""Worker side. Models of the transformers library, built from a configuration or loaded from the hub."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def from_config(family: str, architecture: str) -> Callable[..., Any]:
    """Return a `build` for ModelSpec: random weights in the shape given by its keyword arguments.

    `family` is the library's folder ("bert"), `architecture` the class ("BertForMaskedLM"); the result passes its
    keyword arguments to the class's configuration. Nothing is downloaded.
    """

    def build(**settings: Any) -> Any:
        model_class = _model_class(family, architecture)
        attention = settings.pop("attn_implementation", None)
        config = model_class.config_class(**settings)
        if attention is not None:
            config._attn_implementation = attention
        return model_class(config)

    return build


def from_hub(family: str, architecture: str, checkpoint: str, **settings: Any) -> Callable[[], Any]:
    """Return a `pretrained` for ModelSpec: the checkpoint through the library's own loading code and cache.

    `settings` override the checkpoint's configuration; the dtype is always float32. Only safetensors are read, to avoid
    unpickling foreign data. A head missing in the checkpoint (a classifier on a language model) gets random weights.
    """

    def pretrained() -> Any:
        model_class = _model_class(family, architecture)
        return model_class.from_pretrained(
            checkpoint, use_safetensors=True, dtype="float32", **settings
        )

    return pretrained


def _model_class(family: str, architecture: str) -> Any:
    """Return the class, imported from its own file: the library's top-level names import far more on first use."""
    return getattr(import_module(f"transformers.models.{family}.modeling_{family}"), architecture)
