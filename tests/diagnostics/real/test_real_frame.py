"""Small real environments whose surroundings are broken: the cause, its command, and the cure, twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_machine import apply, look, wheel

HEALTHY = ["torch-installed"]
"""What an empty environment lacks."""
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
BASE = Path(os.path.realpath(sys.executable))


def venv(folder: Path, python: str | Path = sys.executable) -> Path:
    """A virtual environment without pip and its interpreter."""
    subprocess.run([str(python), "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


def site_of(folder: Path) -> Path:
    (site,) = folder.glob("lib/python3*/site-packages")
    return site


def put(folder: Path, name: str, version: str, files: dict[str, bytes]) -> None:
    """Unpacks a small wheel into the environment's site folder."""
    import zipfile

    with zipfile.ZipFile(wheel(folder, name, version, files)) as archive:
        archive.extractall(site_of(folder))


def script(folder: Path, name: str) -> Path:
    path = folder / "bin" / name
    path.write_text(f"#!{folder}/bin/python\nprint('ran')\n")
    path.chmod(0o755)
    return path


def test_a_moved_environment_has_its_scripts_written_anew(tmp_path: Path) -> None:
    venv(tmp_path / "old")
    script(tmp_path / "old", "tool")
    (tmp_path / "old").rename(tmp_path / "new")
    moved = tmp_path / "new/bin/tool"
    with pytest.raises(FileNotFoundError):
        subprocess.run([moved], check=True)
    finding = look(tmp_path / "new/bin/python", "--ignore", "quiet").root("venv-moved")
    assert "start nothing: tool" in finding["summary"]
    assert str(tmp_path / "old") in finding["cause"]
    for _ in range(2):
        apply(finding)
        assert look(tmp_path / "new", "--ignore", "quiet").roots("error") == HEALTHY
    assert subprocess.run([moved], capture_output=True, text=True, check=True).stdout == "ran\n"
    assert str(tmp_path / "new") in (tmp_path / "new/bin/activate").read_text()


def test_a_copy_that_starts_the_original_is_named(tmp_path: Path) -> None:
    venv(tmp_path / "first")
    script(tmp_path / "first", "tool")
    shutil.copytree(tmp_path / "first", tmp_path / "second", symlinks=True)
    finding = look(tmp_path / "second/bin/python", "--ignore", "quiet").root("venv-moved")
    assert finding["level"] == "warn"
    apply(finding)
    assert look(tmp_path / "second", "--ignore", "quiet").roots("error", "warn") == HEALTHY
    assert look(tmp_path / "first", "--ignore", "quiet").roots("error", "warn") == HEALTHY


def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands call `python3.11`, which a user has on the path."""
    folder = BASE.parent
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_an_environment_whose_base_python_vanished_is_put_on_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "base/bin"
    base.mkdir(parents=True)
    (base / "python3").symlink_to(BASE)
    python = venv(tmp_path / "env")
    put(tmp_path / "env", "six", "1.17.0", {"six.py": b"x = 1\n"})
    config = tmp_path / "env/pyvenv.cfg"
    lines = config.read_text().splitlines()
    config.write_text(
        "\n".join(f"home = {base}" if row.startswith("home") else row for row in lines)
    )
    python.unlink()
    python.symlink_to(base / "python3")
    shutil.rmtree(tmp_path / "base")
    report = look(tmp_path / "env", "--ignore", "quiet")
    assert report.roots("error", "warn") == ["base-python-gone"]
    assert report.code == 1
    on_path(monkeypatch)
    for _ in range(2):
        apply(report.root("base-python-gone"))
        assert look(tmp_path / "env", "--ignore", "quiet").roots("error", "warn") == HEALTHY
    assert subprocess.run([python, "-c", "import six"], check=False).returncode == 0


def test_an_environment_whose_base_python_became_another_minor_version(
    other_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = venv(tmp_path / "env")
    put(tmp_path / "env", "six", "1.17.0", {"six.py": b"x = 1\n"})
    python.unlink()
    python.symlink_to(other_python)
    report = look(tmp_path / "env", "--ignore", "quiet")
    assert report.roots("error", "warn") == ["base-python-changed"]
    on_path(monkeypatch)
    apply(report.root("base-python-changed"))
    assert look(tmp_path / "env", "--ignore", "quiet").roots("error", "warn") == HEALTHY


def test_a_numpy_of_another_python_on_pythonpath_is_found(tmp_path: Path) -> None:
    python = venv(tmp_path / "env")
    put(tmp_path / "env", "numpy", "2.4.6", {"numpy/__init__.py": b""})
    other = tmp_path / "other/lib/python3.9/site-packages"
    other.mkdir(parents=True)
    import zipfile

    module = "numpy/_core.cpython-39-x86_64-linux-gnu.so"
    path = wheel(
        tmp_path, "numpy", "1.20.0", {"numpy/__init__.py": b"import numpy._core", module: b""}
    )
    with zipfile.ZipFile(path) as archive:
        archive.extractall(other)
    failed = subprocess.run(
        [python, "-c", "import numpy"],
        env={"PYTHONPATH": str(other)},
        capture_output=True,
        check=False,
    )
    assert failed.returncode != 0
    report = look(
        python, PYTHONPATH=f"{other}{os.pathsep}{os.environ.get('PYTHONPATH', Path.cwd())}"
    )
    finding = report.root("user-site-or-pythonpath-shadow")
    assert finding["level"] == "error"
    assert finding["fixes"][0]["line"] == "unset PYTHONPATH"
    assert report.folded("user-site-or-pythonpath-shadow") == {"extension-misbuilt"}
    assert look(python).roots("error") == HEALTHY


def test_checkouts_and_path_files_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    python = venv(tmp_path / "env")
    site = site_of(tmp_path / "env")
    put(tmp_path / "env", "mine", "0.1", {})
    (site / "mine-0.1.dist-info/direct_url.json").write_text(
        f'{{"dir_info": {{"editable": true}}, "url": "file://{tmp_path}/gone%20away"}}'
    )
    (site / "__editable__.mine-0.1.pth").write_text(f"{tmp_path}/gone away/src\n")
    (site / "other.pth").write_text(f"import sys\n# a note\n{tmp_path}/env\n{tmp_path}/nowhere\n")
    report = look(python)
    finding = report.root("editable-gone")
    assert "gone away" in finding["summary"]
    assert report.folded("editable-gone") == {"path-file-dead"}
    dead = report.root("path-file-dead")
    assert dead["subject"] == f"{tmp_path}/nowhere"
    apply(dead)
    assert "path-file-dead" not in look(python).roots()
    assert str(tmp_path / "env") in (site / "other.pth").read_text()


def test_a_preload_that_is_not_there_and_far_too_many_threads(tmp_path: Path) -> None:
    report = look(
        None,
        "--select",
        "variables",
        LD_PRELOAD=f"{tmp_path}/libjemalloc.so.2",
        OMP_NUM_THREADS="512",
    )
    assert report.root("preload-missing")["fixes"][0]["line"] == "unset LD_PRELOAD"
    assert "512 on" in report.root("threads-above-cores")["summary"]
    assert look(None, "--select", "preload-missing", LD_PRELOAD="libm.so.6").roots() == []
