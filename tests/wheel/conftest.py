"""A wheel built from this tree, an environment that has it, and a folder that a user works in."""

import os
import subprocess

import pytest
from wheel_environment import build, environment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(tmp_path_factory, wheel):
    return environment(tmp_path_factory.mktemp("env") / "env", wheel, libraries=True)


@pytest.fixture
def run(installed, tmp_path):
    """Return `run(program, *arguments)`: the finished process, started in the folder of a user."""

    def finished(*command, folder=tmp_path, programs=installed):
        inherited = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [str(programs / command[0]), *map(str, command[1:])],
            cwd=folder,
            env=inherited,
            capture_output=True,
            text=True,
            timeout=1200,
        )

    return finished


@pytest.fixture
def hostile(tmp_path):
    """Packages of a user's own with the names of ours, and pytest settings that would break any run of it."""
    for name in ("suite", "bench", "diagnostics"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('their own {name}')\n")
        (tmp_path / name / "spec.py").write_text("")
    (tmp_path / "conftest.py").write_text("raise SystemExit('their own conftest.py')\n")
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "--nonsense"\n')
    return tmp_path
