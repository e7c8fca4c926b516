"""Facts about the kinds of install files and commands: read and judged, or said to be not read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diagnostics.finding import Level
from diagnostics.lint.cli import judge_all, main, read
from diagnostics.lint.conda import conda_wish
from diagnostics.lint.specifiers import poetry_ranges
from diagnostics.tables.onnxruntime_gpu import cuda_major, range_for
from diagnostics.version import allows

INDEX = "https://download.pytorch.org/whl/"
POETRY = "[tool.poetry.dependencies]\n"
UV_GPU = f'[[tool.uv.index]]\nname = "gpu"\nurl = "{INDEX}cu128"\nexplicit = true\n'

FILES: list[tuple[str, str, list[str]]] = [
    # conda's environment files
    (
        "environment.yaml",
        "name: a\nchannels:\n  - pytorch\n  - nvidia\ndependencies:\n  - python=3.11\n"
        "  - pytorch=2.6\n  - torchvision=0.21\n  - pytorch-cuda=12.4\n",
        ["conda-channel-ended"],
    ),
    (
        "environment.yml",
        "channels: [pytorch, nvidia]\ndependencies: [python=3.11, pytorch=2.5.1, torchvision=0.20.1,"
        " pytorch-cuda=12.4]\n",
        [],
    ),
    (
        "environment.yml",
        "channels:\n- pytorch\ndependencies:\n- pytorch=2.5.1\n- pytorch-cuda=11.7\n",
        ["variant-never-built"],
    ),
    (
        "environment.yml",
        "channels:\n  - conda-forge\ndependencies:\n  - python=3.12\n  - pip\n  - pip:\n"
        "    - torch==2.6.0\n    - torchvision==0.20.0\n",
        ["tutorial-pair"],
    ),
    (
        "env.yaml",
        "dependencies:\n  - python=3.13\n  - pip:\n      - torch==2.4.0  # pinned\n",
        ["python-has-no-wheel"],
    ),
    ("environment.yaml", "dependencies:\n  - conda-forge::pytorch>=2.6,<2.9\n", []),
    ("environment.yaml", "dependencies:\n  - pytorch 2.6.* cuda*\n  - numpy\n", []),
    ("environment.yml", "dependencies:\n  - pytorch=2.6\n  - torchvision=0.20\n", ["pair-impossible"]),
    # setup.py and setup.cfg
    (
        "setup.py",
        "from setuptools import setup\nV = '2.6.0'\nDEPS = ['numpy', f'torch=={V}']\n"
        "setup(name='x', install_requires=DEPS + ['torchvision==0.20.0'])\n",
        ["tutorial-pair"],
    ),
    (
        "setup.py",
        "import setuptools\nsetuptools.setup(install_requires=['torch==2.6.0'],\n"
        " extras_require={'v': ['torchvision==0.20.0'], 'ok': ['torchvision==0.21.0']})\n",
        ["tutorial-pair"],
    ),
    ("setup.py", "from setuptools import setup\nsetup(install_requires='torch==2.6.0\\nnumpy')\n", []),
    (
        "setup.cfg",
        "[options]\ninstall_requires =\n    torch==2.6.0\n[options.extras_require]\n"
        "v =\n    torchvision==0.20.1\n",
        ["tutorial-pair"],
    ),
    ("setup.cfg", "[options]\npython_requires = >=3.12\ninstall_requires =\n  torch==2.1.0\n",
     ["python-has-no-wheel"]),
    # Pipfile and locks
    ("Pipfile", '[packages]\ntorch = "==2.3.0"\n[requires]\npython_version = "3.13"\n',
     ["python-has-no-wheel"]),
    ("Pipfile", '[packages]\ntorch = {version = "==2.6.0", index = "p"}\n[[source]]\nname = "p"\n'
     f'url = "{INDEX}cu121"\n', ["variant-never-built"]),
    ("Pipfile", '[packages]\ntorch = "*"\n[dev-packages]\ntorchvision = "==0.21.0"\n', []),
    (
        "Pipfile.lock",
        json.dumps({"default": {"torch": {"version": "==2.6.0"}},
                    "develop": {"torchvision": {"version": "==0.20.0"}}}),
        ["tutorial-pair"],
    ),
    (
        "uv.lock",
        'version = 1\nrequires-python = ">=3.10"\n'
        '[[package]]\nname = "torch"\nversion = "2.6.0+cpu"\n'
        f'source = {{ registry = "{INDEX}cpu" }}\n'
        '[[package]]\nname = "torch"\nversion = "2.5.1+cu124"\n'
        f'source = {{ registry = "{INDEX}cu124" }}\n'
        '[[package]]\nname = "torchvision"\nversion = "0.21.0+cpu"\n'
        'dependencies = [{ name = "torch", version = "2.6.0+cpu" }]\n'
        '[[package]]\nname = "torchvision"\nversion = "0.20.1+cu124"\n'
        'dependencies = [{ name = "torch", version = "2.5.1+cu124" }]\n',
        [],
    ),
    (
        "poetry.lock",
        '[[package]]\nname = "torch"\nversion = "2.7.0"\n'
        '[[package]]\nname = "nvidia-cudnn-cu12"\nversion = "9.1.0.70"\n'
        '[metadata]\npython-versions = ">=3.10"\n',
        ["torch-pins-another"],
    ),
    ("pylock.toml", '[[packages]]\nname = "torch"\nversion = "2.9.9"\n', ["version-never-released"]),
    # pyproject.toml: poetry, uv, groups
    ("pyproject.toml", POETRY + 'torch = "2.5.1"\ntorchvision = "^0.20"\n', []),
    ("pyproject.toml", POETRY + 'torch = "2.6.0"\ntorchvision = "^0.20"\n', ["pair-impossible"]),
    ("pyproject.toml", POETRY + 'torch = "~2.6"\ntorchvision = {version = "~0.21.0"}\n', []),
    ("pyproject.toml", POETRY + 'python = "^3.9"\ntorch = "2.9.1"\n', ["requires-python-too-wide"]),
    ("pyproject.toml", POETRY + 'python = "^3.10"\ntorch = "2.9.1"\n', []),
    (
        "pyproject.toml",
        '[tool.poetry.group.ml.dependencies]\ntorch = "2.6.0"\ntorchvision = "0.20.1"\n',
        ["tutorial-pair"],
    ),
    (
        "pyproject.toml",
        '[dependency-groups]\nbase = ["torch==2.6.0"]\n'
        'all = [{include-group = "base"}, "torchvision==0.20.0"]\n',
        ["tutorial-pair"],
    ),
    (
        "pyproject.toml",
        '[project]\nrequires-python = ">=3.10"\ndependencies = ["torch==2.12.0"]\n'
        '[tool.uv.sources]\ntorch = [{ index = "gpu", marker = "sys_platform == \'linux\'" }]\n'
        + UV_GPU,
        ["variant-never-built"],
    ),
    (
        "pyproject.toml",
        '[project]\nrequires-python = ">=3.10"\ndependencies = ["torch==2.12.0"]\n'
        '[tool.uv.sources]\ntorch = [{ index = "gpu", marker = "sys_platform == \'win32\'" }]\n'
        + UV_GPU,
        [],
    ),
    (
        "pyproject.toml",
        '[project]\ndependencies = ["torchvision==0.21.0"]\n[tool.uv]\n'
        'constraint-dependencies = ["torch<2.6"]\n',
        [],
    ),
    ("pyproject.toml", '[project]\ndependencies = ["torch==2.6.0"]\n[tool.uv.pip]\n'
     'torch-backend = "cu128"\n', ["variant-never-built"]),
    # requirements with includes
    ("requirements.txt", "-c constraints.txt\ntorchvision==0.21.0\n", ["tutorial-pair"]),
    ("requirements.txt", f"--index-url {INDEX}rocm6.2.4\ntorch==2.6.0\ntorchvision==0.21.0\n", []),
    ("requirements.txt", f"{INDEX}cu124/torch-2.6.0%2Bcu124-cp311-cp311-linux_x86_64.whl\n",
     ["wheel-for-another-python"]),
    ("requirements.txt", "torch @ https://x.example/torch-2.6.0-cp312-cp312-linux_x86_64.whl\n"
     "torchvision==0.20.0\n", ["tutorial-pair"]),
    ("requirements.txt", "torch==2.6.0\ntorch==2.5.0\n", ["requirements-conflict"]),
    ("requirements.txt", "torch==2.6.0\ntriton>=3.3\n", ["torch-pins-another"]),
    ("requirements.txt", "torch==2.6.0\nsympy==1.13.1\nnvidia-cudnn-cu12==9.1.0.70\n", []),
    ("requirements.txt", "torch==2.6.0; python_version < '3.10'\ntorchvision==0.20.0\n", []),
    # Dockerfiles
    ("Dockerfile", "FROM python:3.13-slim\nRUN pip install torch==2.4.1\n", ["python-has-no-wheel"]),
    (
        "Dockerfile",
        "ARG PY=3.12\nFROM python:${PY}-slim AS base\nENV TORCH=2.6.0\n"
        "RUN --mount=type=cache,target=/root/.cache \\\n    # the vision pair\n"
        "    pip install torch==$TORCH \\\n    torchvision==0.20.0 && rm -rf /tmp/x\n",
        ["tutorial-pair"],
    ),
    ("Dockerfile", "FROM python:3.12-alpine\nRUN pip install torch\n", ["no-wheel-for-musl"]),
    (
        "Dockerfile",
        "FROM pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime\nRUN pip install torchvision==0.20.1\n",
        ["torch-replaced"],
    ),
    (
        "Dockerfile",
        "FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\nRUN apt-get update && apt-get install -y curl\n"
        f"RUN pip3 install torch==2.6.0 torchvision==0.21.0 --index-url {INDEX}cu124\n",
        [],
    ),
    ("Dockerfile", "FROM python:3.12\nCOPY constraints.txt .\nRUN pip install -r constraints.txt\n",
     []),
    ("gpu.Dockerfile", f"FROM python:3.12\nENV PIP_INDEX_URL={INDEX}cu118\n"
     "RUN pip install torch==2.8.0\n", ["variant-never-built"]),
    ("Dockerfile", "FROM python:3.12\nRUN <<EOF\npip install torch==2.6.0\n"
     "pip install torchvision==0.20.0\nEOF\n", ["torch-replaced"]),
    ("Dockerfile", "FROM nvcr.io/nvidia/pytorch:24.10-py3\nRUN pip install torchvision==0.20.0\n",
     ["torch-replaced"]),
    # other tools
    ("pixi.toml", '[dependencies]\npytorch = "2.6.*"\ntorchvision = ">=0.20,<0.21"\n',
     ["pair-impossible"]),
    ("pyproject.toml", '[tool.hatch.envs.a]\ndependencies = ["torch==2.6.0", "torchvision==0.20.0"]\n',
     ["tutorial-pair"]),
    ("pyproject.toml", '[build-system]\nrequires = ["torch==2.6.0"]\n[project]\n'
     'dependencies = ["torchvision==0.20.0"]\n', []),
    ("requirements.txt", "\ufefftorch==2.6.0\ntorchvision==0.20.0\n", ["tutorial-pair"]),
    # scripts and notebooks
    ("install.sh", "set -e\npip install torch==2.6.0 \\\n  torchvision==0.20.0\n", ["tutorial-pair"]),
    ("a.ipynb", json.dumps({"cells": [{"cell_type": "code", "source":
     ["!pip install torch==2.6.0 torchvision==0.20.0\n", "import torch"]}]}), ["tutorial-pair"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "codes"), FILES)
def test_files(tmp_path: Path, name: str, text: str, codes: list[str]) -> None:
    (tmp_path / "constraints.txt").write_text("torch==2.5.1\n")
    (tmp_path / name).write_text(text)
    reading = read(str(tmp_path / name))
    found = judge_all(reading, (3, 12))
    assert reading.not_read == []
    assert sorted({f.code for f in found if f.level.rank >= Level.WARN.rank}) == sorted(codes)


COMMANDS: list[tuple[str, str, int, str]] = [
    ("python3.13 -m pip install torch==2.3.0", "3.12", 1, "no wheel for Python 3.13"),
    ("pip3.13 install torch==2.3.0", "3.12", 1, "no wheel for Python 3.13"),
    ("py -3.13 -m pip install torch==2.3.0", "3.12", 1, "no wheel for Python 3.13"),
    ("uv pip install --python 3.13 torch==2.3.0", "3.12", 1, "no wheel for Python 3.13"),
    ("uv pip install torch==2.6.0 --torch-backend=cu128", "3.12", 1, "never built for cu128"),
    ("uv pip install torch==2.6.0 --torch-backend cu126", "3.12", 0, "Nothing impossible"),
    ("uv pip install torch==2.6.0 --torch-backend auto", "3.12", 0, "Nothing impossible"),
    ("uv pip install torch==2.6.0 --torch-backend cuda12", "3.12", 2, "has no value 'cuda12'"),
    ("uv pip install torch --index-strategy best", "3.12", 2, "has no value 'best'"),
    ("UV_TORCH_BACKEND=cu128 uv pip install torch==2.6.0", "3.12", 1, "never built for cu128"),
    ("pip install torch==2.6.0 --wheel-variant cu124", "3.12", 2, "--wheel-variant is not known"),
    ("pip install -r nowhere.txt torch==2.6.0", "3.12", 2, "nowhere.txt"),
    ("pip install -c nowhere.txt torch==2.6.0", "3.12", 2, "nowhere.txt"),
    ("pip install git+https://github.com/pytorch/vision torch==2.6.0", "3.12", 2, "Not read"),
    ("pip install ./torch-2.6.0+cu124-cp312-cp312-linux_x86_64.whl torchvision==0.20.0", "3.12", 1,
     "cannot be installed together"),
    ("pip install ./torch-2.6.0+cu124-cp311-cp311-linux_x86_64.whl", "3.12", 1, "Python 3.11"),
    ("pip install torch==2.6.0 --platform win_amd64 --only-binary=:all:", "3.12", 2, "Linux"),
    ("poetry add torch@2.6.0 torchvision@^0.20", "3.12", 1, "cannot be installed together"),
    ("poetry add torch@^2.6 torchvision@^0.21", "3.12", 0, "Nothing impossible"),
    ("pipenv install torch==2.6.0 torchvision==0.20.0", "3.12", 1, "cannot be installed together"),
    ("pdm add torch==2.6.0 torchvision==0.21.0", "3.12", 0, "Nothing impossible"),
    ("mamba install -c conda-forge 'pytorch>=2.6' torchvision", "3.12", 0, "Nothing impossible"),
    ("conda install torch -c conda-forge", "3.12", 0, "conda calls the package pytorch"),
    ("micromamba create -n x python=3.13 pytorch=2.4.0 -c pytorch", "3.12", 0, "Nothing impossible"),
    (f"pip install torch==2.8.0 -i {INDEX}rocm6.4", "3.12", 0, "Nothing impossible"),
    (f"pip install torch==2.8.0 -i {INDEX}rocm6.2", "3.12", 1, "rocm6.3, rocm6.4"),
    (f"pip install torch==2.15.0 -i {INDEX}rocm9.9", "3.12", 0, "Nothing impossible"),
    (f"pip install torch==2.8.0 torchvision==0.23.0 -i {INDEX}xpu", "3.12", 0, "Nothing impossible"),
    ("pip install torch==2.4.0+rocm6.4.1 -f https://repo.radeon.com/rocm/manylinux/rocm-rel-6.4.1/",
     "3.12", 0, "Nothing impossible"),
    ("pip install torch==2.6.0 onnxruntime-gpu", "3.12", 0, "wants CUDA 13"),
    ("pip install torch==2.15.0 onnxruntime-gpu==1.31.1", "3.12", 0, "Nothing impossible"),
    (f"pip install torch==2.6.0 onnxruntime-gpu==1.24.4 -i {INDEX}cu124", "3.12", 0,
     "may not have onnxruntime-gpu"),
    ("pip install torch==2.6.0 && pip install torchvision==0.20.0 torch==2.6.0", "3.12", 1,
     "cannot be installed together"),
    ("cd /app; sudo -H pip install -U torch==2.0.0", "3.13", 1, "no wheel for Python 3.13"),
    ("pip install torch=2.6", "3.12", 2, "is no requirement"),
    ("pip uninstall torch", "3.12", 2, "only commands that install"),
    ("pip install", "3.12", 2, "no requirement"),
    ("uv pip compile gone.in", "3.12", 2, "gone.in"),
    ("pip install torch==2.6.0 -i https://mirror.example/pytorch/whl/cu999", "3.12", 0,
     "Nothing impossible"),
    ("pip install torch==2.6.0; pip install torchvision==0.20.1", "3.12", 0,
     "pip install torchvision==0.21.0"),
    (f"pip install {INDEX}cu124/torch-2.6.0%2Bcu124-cp312-cp312-win_amd64.whl", "3.12", 0,
     "not for Linux"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "python", "code", "words"), COMMANDS)
def test_commands(
    line: str, python: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([line, "--python-version", python]) == code
    output = capsys.readouterr()
    assert words in output.out + output.err
    assert code != 2 or "Nothing impossible" not in output.out


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("setup.py", "from setuptools import setup\nsetup(install_requires=deps())\n", "is computed"),
        ("setup.py", "from setuptools import setup\nsetup(**options)\n", "cannot be read"),
        ("setup.py", "from setuptools import setup\nd = ['torch']\nd.append(x)\n"
         "setup(install_requires=d)\n", "d is changed"),
        ("settings.toml", "[a]\nb = 1\n", "no pyproject.toml"),
        ("setup.py", "print('no setup')\n", "no call of setup()"),
        ("setup.py", "setup(\n", "is no Python"),
        ("pyproject.toml", '[project]\ndynamic = ["dependencies"]\n', "when it is built"),
        ("pyproject.toml", '[project]\ndependencies = ["torch=2"]\n', "'torch=2' is no requirement"),
        ("pyproject.toml", POETRY + 'torch = "2.5 || 2.6"\n', "alternatives"),
        ("environment.yaml", "dependencies:\n  torch: 2\n", "torch: 2"),
        ("workflow.yml", "jobs:\n  a: 1\n", "environment files"),
        ("requirements.txt", "torch==2.6.0\n???\n", "is no requirement"),
        ("requirements.txt", "-r gone.txt\n", "no file gone.txt"),
        ("requirements.txt", "--new-option 1\ntorch\n", "--new-option is not known"),
        ("requirements.txt", "-e ../gone\n", "cannot be told"),
        ("Dockerfile", "FROM python:3.12\nRUN pip install torch==${V}\n", "$V has no value"),
        ("Dockerfile", "FROM python:3.12\nRUN pip install -r gone.txt\n", "gone.txt"),
        ("notes.md", "torch==2.6.0", "kind of file"),
        ("uv.lock", "version = 1\n", "no list of packages"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_said_and_exits_with_2(
    tmp_path: Path, name: str, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text)
    assert main([str(tmp_path / name), "--python-version", "3.12"]) == 2
    output = capsys.readouterr()
    assert words in output.out + output.err
    assert "Nothing impossible" not in output.out


def test_an_impossible_line_wins_over_one_that_was_not_read(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.6.0\ntorchvision==0.20.0\n???\n")
    assert main([str(tmp_path / "requirements.txt"), "--python-version", "3.12"]) == 1


def test_a_project_is_judged_for_a_python_that_it_allows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '[project]\nrequires-python = ">=3.10,<3.12"\ndependencies = ["torch==2.0.0"]\n'
    (tmp_path / "pyproject.toml").write_text(text)
    assert main([str(tmp_path / "pyproject.toml"), "--python-version", "3.13"]) == 0
    assert "for Python 3.10" in capsys.readouterr().out


def test_the_driver_that_a_base_image_needs_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM nvidia/cuda:13.0.1-base-ubuntu24.04\n")
    assert main([str(tmp_path / "Dockerfile")]) == 0
    assert "driver >= 580.65.06" in capsys.readouterr().out


def test_the_driver_and_the_index_of_an_image_s_torch_are_named(tmp_path: Path) -> None:
    text = f"FROM python:3.12\nRUN pip install torch==2.6.0 --index-url {INDEX}cu126\n"
    (tmp_path / "Dockerfile").write_text(text)
    (found,) = judge_all(read(str(tmp_path / "Dockerfile")), (3, 12))
    assert (found.code, found.level) == ("image-needs-driver", Level.INFO)
    assert f"torch from {INDEX}cu126 needs an NVIDIA driver >= 525.60.13" in found.summary


@pytest.mark.parametrize(
    ("line", "fixed"),
    [
        (
            "pip install torch==2.10.0+cpu fastapi",
            f"pip install torch==2.10.0+cpu fastapi --extra-index-url {INDEX}cpu",
        ),
        (
            f"pip install torch==2.6.0 fastapi --index-url {INDEX}cu124",
            f"pip install torch==2.6.0+cu124 fastapi --extra-index-url {INDEX}cu124",
        ),
        (
            "python3.12 -m pip install -U torch==2.6.0 torchvision==0.20.0",
            "python3.12 -m pip install -U torch==2.6.0 torchvision==0.21.0",
        ),
        (
            "uv pip install torch==2.6.0 --torch-backend cu128",
            "uv pip install torch==2.6.0 --torch-backend cu126",
        ),
        (
            "conda install -n a pytorch==2.6.0 -c pytorch",
            "conda install -n a -c conda-forge pytorch==2.6.0",
        ),
        (
            "pip install torch==2.11.0 onnxruntime onnxruntime-gpu",
            "pip install torch==2.11.0 onnxruntime-gpu",
        ),
        (
            "pip install torch==2.6.0 onnxruntime-gpu==1.30.0",
            "pip install torch==2.6.0 'onnxruntime-gpu>=1.19,<1.27'",
        ),
    ],
)
def test_corrected_lines(line: str, fixed: str) -> None:
    import shlex

    found = judge_all(read(line), (3, 12))
    assert shlex.join(found[0].fixes[0].argv) == fixed
    again = judge_all(read(fixed), (3, 12))
    assert [item for item in again if item.level.rank >= Level.WARN.rank] == []


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^0.20", "0.20.1", "0.21.0"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("^2.1", "2.9.1", "3.0.0"),
        ("^0", "0.9", "1.0"),
        ("~2.6", "2.6.1", "2.7.0"),
        ("~2.6.1", "2.6.3", "2.7.0"),
        ("~2", "2.15.0", "3.0.0"),
        ("~=2.6", "2.9.0", "3.0.0"),
        ("~=2.6.0", "2.6.3", "2.7.0"),
        (">=2.5, <2.7", "2.6.0", "2.7.0"),
        ("2.6.*", "2.6.4", "2.7.0"),
    ],
)
def test_ranges_of_poetry(text: str, inside: str, outside: str) -> None:
    ranges = poetry_ranges(text)
    assert allows(ranges, inside)
    assert not allows(ranges, outside)


@pytest.mark.parametrize(
    ("text", "name", "ranges"),
    [
        ("pytorch=2.6", "torch", "==2.6.*"),
        ("pytorch==2.6.0", "torch", "==2.6.0"),
        ("pytorch=2.6.0=py3.12_cuda12.4_cudnn9", "torch", "==2.6.0"),
        ("conda-forge::pytorch>=2.5,<2.7", "torch", ">=2.5,<2.7"),
        ("numpy", "numpy", ""),
        ("python 3.11.*", "python", "==3.11.*"),
        ("pytorch[version='>=2.6']", "torch", ">=2.6"),
    ],
)
def test_conda_specifications(text: str, name: str, ranges: str) -> None:
    found = conda_wish(text)
    assert found is not None
    assert (found.name, found.ranges) == (name, ranges)


def test_the_cuda_of_onnxruntime_gpu() -> None:
    assert [cuda_major(v) for v in ("1.18.1", "1.24.4", "1.26.0", "1.27.0", "1.32.0")] == [
        11,
        12,
        12,
        13,
        13,
    ]
    assert cuda_major("1.28.0rc1") is None
    assert range_for(12) == ">=1.19,<1.27"
