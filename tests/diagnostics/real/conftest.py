"""Shared wards: a clone of the environment per test, compiled fake drivers per session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import stubs
from fake_machine import PREFIX, Clone, compile_library

HERE = Path(__file__).parent
_REMOVALS: list[subprocess.Popen[bytes]] = []


def pytest_sessionfinish() -> None:
    for removal in _REMOVALS:
        removal.wait()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture
def clone() -> Iterator[Clone]:
    if sys.prefix == sys.base_prefix or not sys.platform.startswith("linux"):
        pytest.skip("clones need a virtual environment on Linux")
    # Hard links do not cross file systems.
    beside = PREFIX.parent
    place = tempfile.gettempdir()
    parent = place if os.stat(place).st_dev == os.stat(PREFIX).st_dev else str(beside)
    folder = Path(tempfile.mkdtemp(prefix="ward-", dir=parent))
    made = Clone(folder)
    yield made
    # Unlinking some ten thousand names takes seconds: the next test does not wait for it.
    _REMOVALS.append(subprocess.Popen(["rm", "-rf", str(folder)]))


@pytest.fixture(scope="session")
def index() -> None:
    """Skips where no package index can be reached: a printed install command cannot be run there."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "iniconfig"],
            capture_output=True,
            timeout=60,
            check=False,
        )
    if done.returncode:
        pytest.skip("no package index can be reached")


@pytest.fixture(scope="session")
def gcc() -> str:
    found = shutil.which("gcc")
    if found is None:
        pytest.skip("gcc is not installed")
    return found


@pytest.fixture(scope="session")
def cuda_stub(gcc: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fake libcuda.so.1."""
    folder = tmp_path_factory.mktemp("cuda")
    compile_library(folder / "libcuda.so.1", stubs.CUDA)
    return folder


@pytest.fixture(scope="session")
def nvml_stub(gcc: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fake libnvidia-ml.so.1."""
    folder = tmp_path_factory.mktemp("nvml")
    compile_library(folder / "libnvidia-ml.so.1", stubs.NVML)
    return folder


@pytest.fixture(scope="session")
def namespace() -> None:
    """Skips where mounts cannot be made."""
    if shutil.which("unshare") is None or os.geteuid():
        pytest.skip("mount namespaces need root")
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mount namespaces are forbidden here")
