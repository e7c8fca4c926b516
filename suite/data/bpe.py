"""Worker side. A small byte-level BPE tokenizer, trained once on the embedded prose and cached for the user."""

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
"""Every byte is a token, so that any text can be written."""
LARGEST: Final = 8192
"""The prose has hardly more pairs that are worth a token. A model with a larger vocabulary sees its first ids only."""


@cache
def tokenizer(vocabulary: int) -> Tokenizer:
    """The tokenizer with at most `vocabulary` tokens (never more than LARGEST), from the cache or trained now.

    Special tokens written out in a text are plain text to it. Raises ValueError below SMALLEST.
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
    """Where the tokenizer of these texts lies: keyed by the text, the vocabulary and the library's version."""
    import tokenizers

    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = f"bpe-{size}-{digest}-tokenizers-{tokenizers.__version__}.txt"
    return Path(root) / "torch-vitals" / name


def _read(file: Path, size: int) -> Tokenizer | None:
    """The cached tokenizer; None when there is none or it is damaged, so that it is built again."""
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
    """Puts the document and its digest there in one step. A cache that cannot be written costs time, not the run."""
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
    """A new tokenizer; the same texts and size give the same one."""
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
    """Keeps the library's thread pool out of this process, which may fork data loader workers later."""
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
