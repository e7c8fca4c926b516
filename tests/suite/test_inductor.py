"""Compiled code is kept apart by instruction set, and everything is compiled in the one place that does so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from suite.backends import inductor  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("level", ("DEFAULT", "AVX2", "AVX512"))
def test_every_instruction_set_has_cache_entries_of_its_own(
    level: str, monkeypatch: pytest.MonkeyPatch
):
    held = inductor.config.cache_key_tag
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: level)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_f": False})
    monkeypatch.delenv(inductor.TAG, raising=False)
    try:
        inductor.compiled(torch.relu)
        assert inductor.config.cache_key_tag == f"{level} avx2"
    finally:
        inductor.config.cache_key_tag = held


def test_a_tag_of_the_users_own_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(inductor.TAG, "mine")
    assert inductor.cache_tag().startswith("mine ")


def test_nothing_is_compiled_past_it():
    sources = [path for name in ("suite", "bench") for path in (ROOT / name).rglob("*.py")]
    found = {
        path.relative_to(ROOT).as_posix()
        for path in sources
        if re.search(r"torch\.compile\(|=torch\.compile\b", path.read_text(encoding="utf-8"))
    }
    # The other is a line of a bundle's own script, behind one that tags the cache.
    assert found == {"suite/backends/inductor.py", "suite/bundles/program.py"}
