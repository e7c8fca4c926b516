"""Builds of every origin on the disk: version files, installers' marks, conda's records, linked libraries."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_machine import Report, compile_library, look, wheel
from test_real_frame import put, site_of, venv

IGNORED = "quiet,toolchain,driver,storage,memory,onnx"


@dataclass(frozen=True, kw_only=True)
class Installed:
    """torch and torchvision of one origin."""

    torch: str
    vision: str
    cuda: str | None = None
    hip: str | None = None
    runtime: str = ""
    """The library that torchvision's module is linked with."""
    installer: str = "pip"


HEALTHY = {
    "ROCm wheels": Installed(
        torch="2.9.1+rocm6.4",
        vision="0.24.1+rocm6.4",
        hip="6.4.43484-123eb5128",
        runtime="libamdhip64.so.6",
    ),
    "XPU wheels": Installed(torch="2.9.1+xpu", vision="0.24.1+xpu"),
    "conda-forge with CUDA": Installed(
        torch="2.7.1", vision="0.22.0", cuda="12.6", runtime="libcudart.so.12", installer="conda"
    ),
    "conda-forge for the CPU": Installed(torch="2.7.1", vision="0.22.0", installer="conda"),
    "NVIDIA's container": Installed(
        torch="2.8.0a0+5228986c39.nv25.06",
        vision="0.22.0a0",
        cuda="12.9",
        runtime="libcudart.so.12",
    ),
    "own builds": Installed(torch="2.10.0a0+git1a2b3c4", vision="0.25.0a0+7a1b2c3", cuda="13.0"),
    "CPU wheels": Installed(torch="2.15.0+cpu", vision="0.29.2+cpu", installer="uv"),
}
BROKEN = {
    "a CUDA torchvision beside ROCm's torch": (
        Installed(
            torch="2.9.1+rocm6.4", vision="0.24.1", hip="6.4.43484", runtime="libcudart.so.12"
        ),
        "--no-deps torchvision==0.24.1 --index-url https://download.pytorch.org/whl/rocm6.4",
    ),
    "a CUDA torchvision beside conda's CPU torch": (
        Installed(torch="2.7.1", vision="0.22.1", runtime="libcudart.so.12", installer="conda"),
        "-c conda-forge torchvision",
    ),
    "a CUDA torchvision beside uv's CPU torch": (
        Installed(
            torch="2.15.0+cpu", vision="0.29.2+cu132", runtime="libcudart.so.13", installer="uv"
        ),
        "--reinstall --no-deps torchvision==0.29.2 --index-url https://download.pytorch.org/whl/cpu",
    ),
}


def examined(folder: Path, installed: Installed) -> Report:
    """What the doctor finds in a virtual environment with these builds."""
    environment = folder / "env"
    python = venv(environment)
    version = (
        f"__version__ = '{installed.torch}'\ncuda = {installed.cuda!r}\nhip = {installed.hip!r}\n"
    )
    put(
        environment,
        "torch",
        installed.torch,
        {"torch/__init__.py": b"", "torch/version.py": version.encode()},
    )
    files = {
        "torchvision/__init__.py": b"",
        "torchvision/version.py": f"__version__ = '{installed.vision}'\n".encode(),
    }
    if installed.runtime:
        runtime = compile_library(
            folder / "lib" / installed.runtime, "int x;", f"-Wl,-soname,{installed.runtime}"
        )
        module = compile_library(
            folder / "lib" / "_C.so",
            "extern int x; int *y = &x;",
            "-Wl,--no-as-needed",
            str(runtime),
        )
        files |= {
            "torchvision/_C.so": module.read_bytes(),
            f"torchvision/lib/{installed.runtime}": runtime.read_bytes(),
        }
    put(environment, "torchvision", installed.vision, files)
    for info in site_of(environment).glob("*.dist-info"):
        (info / "INSTALLER").write_text(f"{installed.installer}\n")
    if installed.installer == "conda":
        (environment / "conda-meta").mkdir()
        for name, number in (("pytorch", installed.torch), ("torchvision", installed.vision)):
            record = {"name": name, "version": number, "channel": "https://c/conda-forge/linux-64"}
            path = environment / "conda-meta" / f"{name}-{number}-py311_0.json"
            path.write_text(json.dumps(record))
    return look(python, "--ignore", IGNORED)


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_wrong_with(name: str, tmp_path: Path, gcc: str) -> None:
    report = examined(tmp_path, HEALTHY[name])
    assert report.roots("error", "warn") == []
    assert report.code == 0


@pytest.mark.parametrize("name", BROKEN)
def test_the_odd_one_is_named_with_its_installers_command(
    name: str, tmp_path: Path, gcc: str
) -> None:
    installed, command = BROKEN[name]
    report = examined(tmp_path, installed)
    assert report.roots("error", "warn") == ["tv-cpu-torch-cuda-vision"]
    assert command in report.root("tv-cpu-torch-cuda-vision")["fixes"][0]["line"]


def test_an_environment_may_override_what_it_inherits(tmp_path: Path) -> None:
    base = venv(tmp_path / "base")
    put(tmp_path / "base", "numpy", "1.26.4", {"numpy/__init__.py": b""})
    subprocess.run(
        [base, "-m", "venv", "--without-pip", "--system-site-packages", tmp_path / "env"],
        check=True,
    )
    put(tmp_path / "env", "numpy", "2.4.6", {"numpy/__init__.py": b""})
    report = look(tmp_path / "env", "--ignore", f"{IGNORED},torch-installed")
    assert report.roots("error", "warn") == []


def test_a_package_that_was_put_on_pythonpath_on_purpose_is_no_error(tmp_path: Path) -> None:
    import zipfile

    venv(tmp_path / "env")
    put(tmp_path / "env", "numpy", "2.4.5", {"numpy/__init__.py": b""})
    path = wheel(tmp_path, "numpy", "2.4.6", {"numpy/__init__.py": b""})
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "target")
    root = Path(__file__).parents[3]
    report = look(
        tmp_path / "env",
        *("--ignore", f"{IGNORED},torch-installed"),
        PYTHONPATH=f"{tmp_path / 'target'}:{root}",
    )
    assert report.roots("error") == []
    assert report.roots("warn") == ["user-site-or-pythonpath-shadow"]
