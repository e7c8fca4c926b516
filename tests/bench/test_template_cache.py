"""Templates of pages are compiled once and kept; what is kept never decides what a page says."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from bench.output.template_cache import TemplateCache


def rendered(folder: Path, text: str) -> str:
    """The page of a new process: nothing is in memory."""
    loader = DictLoader({"page": text})
    environment = Environment(loader=loader, bytecode_cache=TemplateCache(folder))
    return environment.get_template("page").render(name="cnn")


def test_a_template_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert rendered(tmp_path, "{{ name }} is fast") == "cnn is fast"
    monkeypatch.setattr(Environment, "_generate", lambda *_, **__: pytest.fail("compiled again"))
    assert rendered(tmp_path, "{{ name }} is fast") == "cnn is fast"


def test_a_changed_template_is_compiled_again(tmp_path: Path):
    rendered(tmp_path, "{{ name }} is fast")
    assert rendered(tmp_path, "{{ name }} is slow") == "cnn is slow"


@pytest.mark.parametrize("damage", [b"", b"j2", b"\0" * 400])
def test_a_damaged_file_is_replaced(tmp_path: Path, damage: bytes):
    rendered(tmp_path, "{{ name }}")
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for content in (damage, whole[: len(whole) // 2], whole[:60] + damage):
        file.write_bytes(content)
        assert rendered(tmp_path, "{{ name }}") == "cnn"
        assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_no_page(tmp_path: Path):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    assert rendered(blocked / "templates", "{{ name }}") == "cnn"
