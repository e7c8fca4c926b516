"""Worker side. The tokenizer of weights that were trained elsewhere: what they read is text in its ids alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from suite.weight_sources import PRETRAINED, RANDOM
from suite.weights import weights_in

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE: Final = "tokenizer.json"
"""What `save_pretrained` of a tokenizer writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTokenizer:
    """The tokenizer beside the weights, or why there is none."""

    tokens: Tokenizer | None = None
    missing: str = ""
    """A sentence; empty where ours is right: the weights are random, or we trained them."""


def own_tokenizer(weights: str, name: str, module: Any, vocabulary: int) -> OwnTokenizer:
    """Return the tokenizer of the model's weights: from their folder, or with published ones from the hub's cache."""
    if weights == RANDOM:
        return OwnTokenizer()
    if weights == PRETRAINED:
        path = _published(str(getattr(getattr(module, "config", None), "_name_or_path", "")))
    else:
        found = weights_in(Path(weights), name)
        path = (found if found.is_dir() else found.parent) / FILE
    if path is None or not path.is_file():
        return OwnTokenizer(
            missing=f"there is no {path or FILE}, so that what the weights read is not text in their ids; next: the"
            f" tokenizer's {FILE} beside the weights (its save_pretrained writes it)"
        )
    from tokenizers import Tokenizer

    try:
        tokens = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        return OwnTokenizer(missing=f"{path} cannot be read ({error}); next: save it again")
    most = max(tokens.get_vocab().values(), default=0)
    if most >= vocabulary:
        return OwnTokenizer(
            missing=f"{path} has ids up to {most}, and {name} a vocabulary of {vocabulary}; expected the tokenizer of"
            " these weights"
        )
    return OwnTokenizer(tokens=tokens)


def _published(checkpoint: str) -> Path | None:
    """Return the file in the hub's cache, or fetched; None if neither is possible."""
    from transformers.utils import cached_file

    try:
        found = cached_file(checkpoint, FILE) if checkpoint else None
    except OSError:
        return None
    return Path(found) if found else None
