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


def minor_of(python: str) -> str:
    """The minor version that an interpreter gives, such as `3.9`; "" when it does not start."""
    said = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", said], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture(scope="session")
def other_python() -> Path:
    """An interpreter of another minor version; Debian's PyPy is one, which `.ci/run` installs."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    names = [f"python3.{minor}" for minor in range(9, 20)] + ["pypy3"]
    found = [path for name in names if (path := shutil.which(name))]
    found += [str(p) for p in Path.home().glob(".pyenv/versions/3.*/bin/python3.*[0-9]")]
    fitting = [path for path in found if (minor := minor_of(path)) and minor != own]
    assert fitting, "no second Python: apt-get install pypy3"
    return Path(fitting[0]).absolute()


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
