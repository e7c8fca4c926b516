"""`--fix` in small real environments of stand-in wheels: the fault is gone, nothing new is there, twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest
from fake_machine import ROOT, Report, look, wheel
from test_real_frame import site_of, venv

TORCH = {
    "torch/__init__.py": b"",
    "torch/version.py": b"__version__ = '2.15.0+cu132'\ncuda = '13.2'\nhip = None\n",
}
VISION = {
    "torchvision/__init__.py": b"",
    "torchvision/version.py": b"__version__ = '0.29.2+cu132'\n",
}
OLD_VISION = VISION | {"torchvision/version.py": b"__version__ = '0.28.0+cu130'\n"}
CPU_VISION = VISION | {"torchvision/version.py": b"__version__ = '0.29.2+cpu'\n"}
CUDNN = "nvidia/cudnn/lib/libcudnn.so.9"
DOCTOR = (sys.executable, "-m", "diagnostics")
IGNORED = "quiet,toolchain,driver,storage,memory,onnx,transformers"
"""Areas that the stand-ins know nothing of."""
ORT = ("__init__", *"abcdefgh")
SHELF: tuple[tuple[str, str, dict[str, bytes], str], ...] = (
    ("torch", "2.15.0", TORCH, "nvidia-cudnn-cu13==9.26.0.51|sympy>=1.13.3|networkx"),
    ("torchvision", "0.29.2", VISION, "torch>=2.14.0"),
    ("torchvision", "0.28.0", OLD_VISION, "torch==2.13.0"),
    ("nvidia-cudnn-cu13", "9.26.0.51", {CUDNN: b"thirteen"}, ""),
    ("nvidia-cudnn-cu13", "9.1.0.70", {CUDNN: b"thirteen, old"}, ""),
    ("nvidia-cudnn-cu12", "9.10.2.21", {CUDNN: b"twelve"}, ""),
    ("sympy", "1.14.0", {"sympy/__init__.py": b"", "sympy/core.py": b"x = 1\n"}, ""),
    ("networkx", "3.5", {"networkx/__init__.py": b""}, ""),
    ("opencv-python", "4.12.0.88", {"cv2/__init__.py": b"1", "cv2/libcv.so.4": b"gui"}, ""),
    ("opencv-python-headless", "4.12.0.88", {"cv2/__init__.py": b"1", "cv2/libcv.so.4": b"-"}, ""),
    ("albumentations", "2.0", {"albumentations.py": b""}, "opencv-python-headless>=4.9"),
    ("onnxruntime", "1.32.0", {f"onnxruntime/{n}.py": b"cpu" for n in ORT}, ""),
    ("onnxruntime-gpu", "1.32.0", {f"onnxruntime/{n}.py": b"gpu2" for n in ORT}, ""),
    (
        "onnxruntime-gpu",
        "1.30.0",
        {"onnxruntime/__init__.py": b"gpu1", "onnxruntime/b.py": b"gpu1"},
        "",
    ),
    ("tqdm", "4.67.1", {"tqdm/__init__.py": b"", "tqdm/std.py": b"x = 1\n"}, ""),
)
"""Name, version, files, what it asks for: one folder of wheels serves every command."""
BASE = ("torch==2.15.0", "torchvision==0.29.2", "nvidia-cudnn-cu13==9.26.0.51", "sympy", "networkx")


@dataclass(frozen=True)
class Prepared:
    """A virtual environment with the wheels of the shelf at hand."""

    prefix: Path

    @property
    def python(self) -> Path:
        return self.prefix / "bin" / "python"

    @property
    def site(self) -> Path:
        return site_of(self.prefix)

    def pip(self, *arguments: str) -> None:
        subprocess.run([self.python, "-m", "pip", *arguments], check=True, capture_output=True)

    def put(self, *requirements: str) -> None:
        self.pip("install", "--no-deps", *requirements)

    def look(self) -> Report:
        return look(
            self.python, "--ignore", "quiet,toolchain,driver,storage,memory,onnx,transformers"
        )

    def fix(self) -> str:
        """What `--fix` prints, with a yes to its question."""
        done = subprocess.run(
            [*DOCTOR, "--fix", "--python", self.python, "--ignore", IGNORED],
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            input="y\n",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    for name, version, files, requires in SHELF:
        needs = requires.replace("|", "\nRequires-Dist: ")
        wheel(folder, name, version, files, needs)
    return folder


@pytest.fixture
def prepared(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    venv(tmp_path / "env")
    found = Prepared(tmp_path / "env")
    # A link is a second's work less than an installation of pip. It is not imported here: setuptools would then leave
    # Python's own distutils in place, and torch.compile could not build anything in this process any more.
    for path in Path(str(distribution("pip").locate_file(""))).glob("pip*"):
        (found.site / path.name).symlink_to(path)
    found.put(*BASE)
    return found


def cut(path: str) -> Callable[[Prepared], None]:
    return lambda prepared: (prepared.site / path).write_bytes(b"")  # type: ignore[return-value]


def put(*requirements: str) -> Callable[[Prepared], None]:
    return lambda prepared: prepared.put(*requirements)


def gone(*names: str) -> Callable[[Prepared], None]:
    return lambda prepared: prepared.pip("uninstall", "-y", *names)


def stale_record(prepared: Prepared) -> None:
    """An upgrade that broke off has left the record of the older sympy."""
    new = prepared.site / "sympy-1.14.0.dist-info"
    old = prepared.site / "sympy-1.13.0.dist-info"
    shutil.copytree(new, old)
    text = (old / "METADATA").read_text().replace("1.14.0", "1.13.0")
    (old / "METADATA").write_text(text)
    record = (old / "RECORD").read_text().replace("sympy-1.14.0", "sympy-1.13.0")
    (old / "RECORD").write_text(record)


def twelve_over_thirteen(prepared: Prepared) -> None:
    prepared.put("nvidia-cudnn-cu12")


def thirteen_over_twelve(prepared: Prepared) -> None:
    prepared.put("nvidia-cudnn-cu12")
    prepared.pip("install", "--no-deps", "--force-reinstall", "nvidia-cudnn-cu13==9.26.0.51")
    prepared.put("nvidia-cudnn-cu12")
    (prepared.site / CUDNN).write_bytes(b"thirteen")


def library_deleted(prepared: Prepared) -> None:
    (prepared.site / CUDNN).unlink()


def onnxruntime_gutted(prepared: Prepared) -> None:
    prepared.put("onnxruntime", "onnxruntime-gpu==1.32.0")
    prepared.pip("uninstall", "-y", "onnxruntime-gpu")


CASES: dict[str, tuple[Callable[[Prepared], None], str]] = {
    "CUDA 12's cuDNN over CUDA 13's": (twelve_over_thirteen, "files-claimed-twice"),
    "CUDA 13's cuDNN over CUDA 12's": (thirteen_over_twelve, "files-claimed-twice"),
    "two builds of OpenCV, one asked for": (
        put("opencv-python-headless", "opencv-python", "albumentations"),
        "files-claimed-twice",
    ),
    "two builds of ONNX Runtime": (put("onnxruntime", "onnxruntime-gpu==1.32.0"), "ort-both"),
    "two releases of ONNX Runtime": (put("onnxruntime", "onnxruntime-gpu==1.30.0"), "ort-both"),
    "ONNX Runtime gutted by its twin": (onnxruntime_gutted, "ort-gutted"),
    "torch without its dependencies": (
        gone("nvidia-cudnn-cu13", "sympy", "networkx"),
        "dependency-unmet",
    ),
    "one dependency gone": (gone("networkx"), "dependency-unmet"),
    "an older cuDNN than torch's pin": (put("nvidia-cudnn-cu13==9.1.0.70"), "dependency-unmet"),
    "a library deleted": (library_deleted, "file-missing"),
    "a library cut short": (cut(CUDNN), "file-truncated"),
    "a module cut to nothing": (cut("sympy/core.py"), "file-truncated"),
    "an older torchvision": (put("torchvision==0.28.0"), "tv-version-pair"),
    "a stale record beside the new one": (stale_record, "user-site-or-pythonpath-shadow"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_command_cures(name: str, prepared: Prepared) -> None:
    breaks, root = CASES[name]
    assert prepared.look().roots("error", "warn") == []
    breaks(prepared)
    report = prepared.look()
    assert report.roots("error", "warn") == [root]
    printed = report.root(root)["fixes"][0]["line"]
    said = prepared.fix()
    after = prepared.look()
    assert after.roots("error", "warn") == [], f"{printed}\n{said}"
    # Once more, as somebody does who is not sure: nothing may come of it.
    subprocess.run(["bash", "-c", printed], check=True, capture_output=True, cwd="/")
    assert prepared.look().roots("error", "warn") == [], printed
