"""Worker side. A small byte-level BPE tokenizer, trained once on the embedded prose and cached per user."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from suite.data import prose
from suite.data.splits import TRAIN_SPLIT

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIALS: Final = ("<pad>", "<s>", "</s>", "<mask>")
PAD, START, END, MASK = range(4)
"""Ids of the special tokens, the same for every vocabulary size."""

SMALLEST: Final = 256 + len(SPECIALS)
"""Smallest vocabulary: every byte is a token, so any text can be encoded."""
LARGEST: Final = 8192
"""Largest vocabulary: the prose has hardly more pairs worth a token. A larger model sees only its first ids."""


@cache
def tokenizer(vocabulary: int) -> Tokenizer:
    """Return the tokenizer with at most `vocabulary` tokens (never more than LARGEST), from the cache or newly trained.

    Special tokens that occur in a text are encoded as plain text. Raise ValueError below SMALLEST.
    """
    if vocabulary < SMALLEST:
        raise ValueError(
            f"a byte-level vocabulary of {vocabulary} tokens cannot be;"
            f" expected {SMALLEST} or more (256 bytes and {len(SPECIALS)} special tokens)"
        )
    size = min(vocabulary, LARGEST)
    passages = prose.load("", TRAIN_SPLIT)
    texts = [passages[index].text for index in range(len(passages))]
    file = cache_file(texts, size)
    result = _read(file, size)
    if result is None:
        result = _train(texts, size)
        _write(file, result.to_str())
    result.encode_special_tokens = True
    return result


def cache_file(texts: Sequence[str], size: int) -> Path:
    """Return the cache path of these texts' tokenizer, keyed by text, vocabulary size and library version."""
    import tokenizers

    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = f"bpe-{size}-{digest}-tokenizers-{tokenizers.__version__}.txt"
    return Path(root) / "torch-vitals" / name


def _read(file: Path, size: int) -> Tokenizer | None:
    """Return the cached tokenizer, or None if it is missing or damaged."""
    from tokenizers import Tokenizer

    try:
        digest, _, document = file.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    if digest != hashlib.sha256(document.encode()).hexdigest():
        return None
    result = Tokenizer.from_str(document)
    return result if result.get_vocab_size() <= size else None


def _write(file: Path, document: str) -> None:
    """Write the document and its digest atomically. A failed write is ignored: it costs time, not the run."""
    digest = hashlib.sha256(document.encode()).hexdigest()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=file.stem)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(f"{digest}\n{document}")
            Path(temporary).replace(file)
        except OSError:
            Path(temporary).unlink(missing_ok=True)


def _train(texts: Sequence[str], size: int) -> Tokenizer:
    """Train a tokenizer; deterministic for given texts and size."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    result = Tokenizer(models.BPE())
    result.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    result.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    with _one_thread():
        result.train_from_iterator(texts, trainer)
    return result


@contextmanager
def _one_thread() -> Iterator[None]:
    """Disable the library's thread pool: this process may fork data loader workers later."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
