"""No graph tells where it was built."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.stages.export.attempts import PathLeakError, find_paths, machine_paths, refuse_paths


@pytest.fixture
def graph(tmp_path):
    def write(data):
        path = tmp_path / "net.onnx"
        path.write_bytes(data)
        return path

    return write


def test_a_path_below_one_of_the_folders_is_found_whole(graph):
    file = graph(b"\x00\x01File /opt/nets/suite/nets/mlp.py, line 3\x00more")
    assert find_paths(file, ["/opt/nets"]) == ["/opt/nets/suite/nets/mlp.py, line 3"]


def test_every_path_is_listed_once(graph):
    file = graph(b"\x00/opt/a/one.py\x00/opt/a/two.py\x00/opt/a/one.py\x00")
    assert find_paths(file, ["/opt/a"]) == ["/opt/a/one.py", "/opt/a/two.py"]


def test_the_folder_alone_and_a_longer_name_are_no_paths_below_it(graph):
    assert find_paths(graph(b"/opt/a /opt/able/x.py"), ["/opt/a"]) == []


def test_weights_that_look_like_a_folder_by_chance_are_not_reported(graph):
    assert find_paths(graph(b"\x93/opt/\x00\xff\x1a/opt/a\x07"), ["/opt"]) == []


def test_a_leak_is_refused_and_named(graph):
    file = graph(b"\x00/opt/nets/mlp.py\x00")
    with pytest.raises(
        PathLeakError, match=r"net\.onnx holds 1 absolute paths.*'/opt/nets/mlp\.py'"
    ):
        refuse_paths(file, ["/opt/nets"])
    refuse_paths(file, ["/opt/nobody"])


def test_the_folders_looked_for_are_source_home_libraries_and_working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    folders = machine_paths()
    assert str(Path(__file__).resolve().parents[2]) in folders
    assert str(tmp_path) in folders
    assert any("packages" in folder for folder in folders)


def test_the_root_folder_is_never_looked_for(monkeypatch):
    monkeypatch.chdir("/")
    assert "/" not in machine_paths()
