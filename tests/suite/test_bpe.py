"""The tokenizer: any text goes through it and back, and its cache may be missing, damaged or read-only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.data import bpe


@pytest.fixture(scope="module", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of our own for this file."""
    home = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        bpe.tokenizer.cache_clear()
        yield home
    bpe.tokenizer.cache_clear()


def cached(home: Path, size: int) -> Path:
    """The file that holds the tokenizer of this size."""
    (file,) = (home / "torch-vitals").glob(f"bpe-{size}-*.txt")
    return file


@given(
    st.text()
    | st.sampled_from(["<pad>", "a <mask> b", "</s><s>", " two  blanks ", "naïve 世界 🙂"])
)
@settings(deadline=None)
def test_any_text_comes_back_from_its_tokens(text: str) -> None:
    tokenizer = bpe.tokenizer(512)
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text
    assert all(len(bpe.SPECIALS) <= token < 512 for token in ids)


def test_special_tokens_have_the_first_ids_in_every_size() -> None:
    for size in (512, 1024):
        tokenizer = bpe.tokenizer(size)
        assert [tokenizer.id_to_token(i) for i in range(4)] == list(bpe.SPECIALS)
        assert (bpe.PAD, bpe.START, bpe.END, bpe.MASK) == (0, 1, 2, 3)
        assert tokenizer.get_vocab_size() == size


def test_a_larger_vocabulary_writes_english_in_fewer_tokens() -> None:
    text = "The statement is evaluated and the exception is raised."
    small, large = (len(bpe.tokenizer(size).encode(text).ids) for size in (512, 4096))
    assert large < small < len(text)


def test_a_vocabulary_beyond_the_largest_is_cut_to_it() -> None:
    assert bpe.tokenizer(50_257).get_vocab_size() <= bpe.LARGEST


def test_a_vocabulary_that_cannot_hold_all_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="260 or more"):
        bpe.tokenizer(259)


@pytest.mark.parametrize("damage", ["cut", "swap", "bytes", "empty", "gone"])
def test_a_damaged_cache_is_built_again(cache_home: Path, damage: str) -> None:
    vocabulary = bpe.tokenizer(300).get_vocab()
    file = cached(cache_home, 300)
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(
            {
                "cut": whole[: len(whole) // 2],
                "swap": whole.replace(b'"<s>"', b'"<t>"'),
                "bytes": b"\xff" + whole,
                "empty": b"",
            }[damage]
        )
    bpe.tokenizer.cache_clear()
    assert bpe.tokenizer(300).get_vocab() == vocabulary
    assert file.read_bytes() == whole


def test_a_whole_cache_is_used_and_not_trained_again(
    cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary = bpe.tokenizer(300).get_vocab()
    bpe.tokenizer.cache_clear()
    monkeypatch.setattr(bpe, "_train", None)
    again = bpe.tokenizer(300)
    assert again.get_vocab() == vocabulary
    assert again.encode("<pad>").ids != [bpe.PAD]


def test_a_cache_that_cannot_be_written_does_not_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    bpe.tokenizer.cache_clear()
    assert bpe.tokenizer(300).get_vocab_size() == 300


def test_other_texts_another_size_and_another_library_have_files_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tokenizers

    files = {bpe.cache_file(["a"], 300), bpe.cache_file(["b"], 300), bpe.cache_file(["a"], 301)}
    monkeypatch.setattr(tokenizers, "__version__", "9.9.9")
    files.add(bpe.cache_file(["a"], 300))
    assert len(files) == 4
    assert bpe.cache_file(["ab", "c"], 300) != bpe.cache_file(["a", "bc"], 300)


def test_nothing_but_the_finished_file_is_left_in_the_cache(cache_home: Path) -> None:
    bpe.tokenizer(512)
    assert all(path.suffix == ".txt" for path in (cache_home / "torch-vitals").iterdir())
