"""The export cache: found again, checked, bounded, and never half-written."""

from __future__ import annotations

import json
import os
import time

import pytest

from suite.provenance import key_of
from suite.stages.export import cache

KEY = key_of({"model": "mlp"})
FACTS = {"parity": {"verdict": "passed"}}


@pytest.fixture
def stored(tmp_path):
    graph = tmp_path / "made.onnx"
    graph.write_bytes(b"graph" * 1000)
    entry = cache.entry_of(tmp_path / "cache", "mlp-tiny", KEY)
    cache.store(entry, KEY, graph, FACTS)
    return entry


def test_an_entry_comes_back_with_its_bytes_and_facts(stored, tmp_path):
    output = tmp_path / "run" / "onnx" / "mlp-tiny.onnx"
    assert cache.load(stored, KEY, output) == FACTS
    assert output.read_bytes() == b"graph" * 1000


def test_a_hit_is_a_hard_link_where_links_exist(stored, tmp_path):
    output = tmp_path / "out.onnx"
    cache.load(stored, KEY, output)
    assert output.samefile(stored.with_suffix(".onnx"))


def test_a_hit_is_a_copy_where_links_do_not_exist(stored, tmp_path, monkeypatch):
    def refused(*_):
        raise OSError("links are not supported here")

    monkeypatch.setattr(os, "link", refused)
    output = tmp_path / "out.onnx"
    assert cache.load(stored, KEY, output) == FACTS
    assert not output.samefile(stored.with_suffix(".onnx"))
    assert output.read_bytes() == b"graph" * 1000


def test_a_hit_replaces_what_was_there(stored, tmp_path):
    output = tmp_path / "out.onnx"
    output.write_bytes(b"old")
    cache.load(stored, KEY, output)
    assert output.read_bytes() == b"graph" * 1000


def test_another_key_is_a_miss(tmp_path):
    other = key_of({"model": "cnn"})
    entry = cache.entry_of(tmp_path, "mlp-tiny", other)
    assert cache.load(entry, other, tmp_path / "out.onnx") is None
    assert not (tmp_path / "out.onnx").exists()


def test_the_key_ignores_order_and_sees_every_value():
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1})
    assert key_of({"a": 1, "b": [2]}) != key_of({"a": 1, "b": [3]})


def _flip_a_byte(entry):
    graph = entry.with_suffix(".onnx")
    data = bytearray(graph.read_bytes())
    data[7] ^= 1
    graph.write_bytes(data)


def _cut(entry):
    graph = entry.with_suffix(".onnx")
    graph.write_bytes(graph.read_bytes()[:-1])


def _break_the_json(entry):
    entry.write_text("{", encoding="utf-8")


def _forget_the_digest(entry):
    held = json.loads(entry.read_text(encoding="utf-8"))
    del held["sha256"]
    entry.write_text(json.dumps(held), encoding="utf-8")


def test_an_entry_of_another_version_is_made_again(stored, tmp_path, capsys):
    held = json.loads(stored.read_text(encoding="utf-8"))
    stored.write_text(json.dumps({**held, "schema": cache.SCHEMA - 1}), encoding="utf-8")
    assert cache.load(stored, KEY, tmp_path / "out.onnx") is None
    assert not stored.exists()
    assert "is of another version; exporting again" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [_flip_a_byte, _cut, _break_the_json, _forget_the_digest])
def test_a_damaged_entry_is_a_miss_and_makes_room_for_a_new_one(stored, tmp_path, damage):
    damage(stored)
    output = tmp_path / "out.onnx"
    assert cache.load(stored, KEY, output) is None
    assert not output.exists()
    assert not stored.exists()
    assert not stored.with_suffix(".onnx").exists()


def test_a_graph_without_its_json_is_a_miss(stored, tmp_path):
    stored.unlink()
    assert cache.load(stored, KEY, tmp_path / "out.onnx") is None


def test_a_json_without_its_graph_is_a_miss(stored, tmp_path):
    stored.with_suffix(".onnx").unlink()
    assert cache.load(stored, KEY, tmp_path / "out.onnx") is None


def test_storing_leaves_nothing_but_the_entry(stored):
    names = {path.name for path in stored.parent.iterdir()}
    assert names == {stored.name, stored.with_suffix(".onnx").name}


def test_pruning_deletes_the_least_recently_used_first(tmp_path):
    folder, graph = tmp_path / "cache", tmp_path / "made.onnx"
    graph.write_bytes(b"x" * 10_000)
    now = time.time()
    entries = {}
    for age, name in enumerate(("newest", "middle", "oldest")):
        key = key_of({"model": name})
        entries[name] = cache.entry_of(folder, name, key)
        cache.store(entries[name], key, graph, {})
        os.utime(entries[name], (now - 1000 * age,) * 2)
    deleted = cache.prune(folder, 22_000)
    assert [name.partition("-")[0] for name in deleted] == ["oldest"]
    assert entries["newest"].exists()
    assert not entries["oldest"].with_suffix(".onnx").exists()


def test_a_hit_counts_as_use(tmp_path):
    folder, graph = tmp_path / "cache", tmp_path / "made.onnx"
    graph.write_bytes(b"x" * 10_000)
    keys = {name: key_of({"model": name}) for name in ("a", "b")}
    for name, key in keys.items():
        entry = cache.entry_of(folder, name, key)
        cache.store(entry, key, graph, {})
        os.utime(entry, (1000.0, 1000.0 + (name == "b")))
    cache.load(cache.entry_of(folder, "a", keys["a"]), keys["a"], tmp_path / "out.onnx")
    assert [name.partition("-")[0] for name in cache.prune(folder, 12_000)] == ["b"]


def test_pruning_clears_what_dead_processes_left_but_not_what_is_being_written(tmp_path):
    old, new = tmp_path / ".a-1.partial", tmp_path / ".a-2.partial"
    orphan = tmp_path / "a-0123.onnx"
    for path in (old, new, orphan):
        path.write_bytes(b"half")
    for path in (old, orphan):
        os.utime(path, (1000.0, 1000.0))
    cache.prune(tmp_path, 1_000_000)
    assert [path.name for path in tmp_path.iterdir()] == [new.name]


def test_pruning_a_folder_that_does_not_exist_does_nothing(tmp_path):
    assert cache.prune(tmp_path / "none") == []
