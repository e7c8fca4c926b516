"""Literal machines for the doctor's tests: healthy ones, and ways to make them ill."""

from __future__ import annotations

import dataclasses
from typing import Any

from diagnostics.environment import Environment
from diagnostics.records import (
    Build,
    Disk,
    Distribution,
    Driver,
    Files,
    Frame,
    Gpu,
    Hub,
    Interpreter,
    Linkage,
    Ports,
    Quiet,
    System,
    Toolchain,
)

SITE = "/home/ann/.venv/lib/python3.11/site-packages"
PYTHON = "/home/ann/.venv/bin/python"
GIB = 1 << 30

PYTHON_FACTS = Interpreter(
    executable=PYTHON,
    version="3.11.7",
    soabi="cpython-311-x86_64-linux-gnu",
    machine="x86_64",
    prefix="/home/ann/.venv",
    base_prefix="/usr",
    paths=(SITE,),
    site_packages=(SITE,),
    user_site="/home/ann/.local/lib/python3.11/site-packages",
    headers="/usr/include/python3.11/Python.h",
    libc="glibc 2.36",
)
SYSTEM = System(
    system="Linux",
    kernel="6.1.0",
    distro="Debian GNU/Linux 12",
    distro_family="debian",
    machine="x86_64",
    cpu_model="A Processor",
    num_cpus=8,
    num_affinity=8,
    num_cores=8,
    memory_total=32 * GIB,
    memory_available=24 * GIB,
    load=0.1,
    shm_total=16 * GIB,
    shm_free=16 * GIB,
    shm_mode=0o1777,
    open_files=65536,
    open_files_hard=1 << 20,
)
TOOLS = Toolchain(cxx="/usr/bin/g++", cc="/usr/bin/cc", ninja="/usr/bin/ninja", git="/usr/bin/git")
VERSIONS = {
    "torch": "2.15.0",
    "torchvision": "0.29.2",
    "numpy": "2.4.6",
    "onnx": "1.23.2",
    "onnxscript": "0.7.2",
    "onnxruntime": "1.32.0",
    "protobuf": "7.36.2",
    "netron": "9.3.3",
    "transformers": "5.23.0",
    "nvidia-cudnn-cu13": "9.26.0.51",
}
REQUIRES = {
    "torch": ("nvidia-cudnn-cu13==9.26.0.51; platform_system == 'Linux'",),
    "torchvision": ("torch>=2.14.0", "numpy"),
    "onnx": ("protobuf>=4.25.1", "numpy>=1.23.2"),
    "onnxruntime": ("protobuf",),
    "transformers": ("torch>=2.6; extra == 'torch'", "numpy>=1.17"),
}
GPU = Gpu(
    index=0,
    name="NVIDIA H100",
    memory_total=80 * GIB,
    memory_free=79 * GIB,
    capability="9.0",
    uuid="GPU-11111111-2222-3333-4444-555555555555",
    driver="595.10.02",
    persistence=True,
)
DRIVER = Driver(
    pci_devices=1,
    kernel_version="595.10.02",
    kernel_loaded=True,
    uvm_loaded=True,
    device_files=("nvidia-uvm", "nvidia0", "nvidiactl"),
    has_smi=True,
    nvml_library="/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    nvml_code=0,
    nvml_driver="595.10.02",
    cuda_library="/usr/lib/x86_64-linux-gnu/libcuda.so.1",
    cuda_code=0,
    cuda_version="13.2",
    num_cuda_devices=1,
    num_nvml_devices=1,
)


def distribution(name: str, version: str, **fields: Any) -> Distribution:
    """An installed distribution as pip leaves it."""
    stem = name.replace("-", "_")
    fields = {
        "directory": f"{SITE}/{stem}-{version}.dist-info",
        "installer": "pip",
        "requires": REQUIRES.get(name, ()),
        **fields,
    }
    return Distribution(name=name, version=version, **fields)


def build(package: str, version: str, **fields: Any) -> Build:
    """How a library was built; its CUDA follows from the label."""
    label = version.partition("+")[2]
    cuda = f"{label[2:-1]}.{label[-1]}" if label.startswith("cu") else ""
    fields = {"cuda": cuda, "links_cuda": bool(cuda), "path": f"{SITE}/{package}", **fields}
    return Build(package=package, version=version, **fields)


def installed(versions: dict[str, str], **fields: Any) -> dict[str, Any]:
    """The fields of an environment with these packages."""
    return {
        "packages": dict(versions),
        "distributions": tuple(distribution(n, v, **fields) for n, v in versions.items()),
    }


def healthy(**changes: Any) -> Environment:
    """A CUDA build of torch on a machine without a GPU, all well; `changes` replace fields."""
    fields: dict[str, Any] = {
        "python": PYTHON_FACTS,
        "system": SYSTEM,
        "driver": Driver(),
        "builds": {
            "torch": build("torch", "2.15.0+cu132"),
            "torchvision": build("torchvision", "0.29.2+cu132"),
            "onnxruntime": build("onnxruntime", "1.32.0"),
        },
        "files": Files(num_files=1000),
        "linkage": Linkage(num_libraries=100),
        "frame": Frame(venv_home="/usr/bin", venv_version="3.11.7", libraries_for=("3.11",)),
        "variables": {"PATH": "/usr/bin"},
        "disks": (
            Disk(purpose="environment", path=SITE, total=500 * GIB, free=200 * GIB),
            Disk(purpose="hub cache", path="/home/ann/.cache/huggingface", total=9, free=3 * GIB),
        ),
        "toolchain": TOOLS,
        "hub": Hub(home="/home/ann/.cache/huggingface", num_cached=1),
        "ports": Ports(interfaces=("lo", "eth0")),
        "quiet": Quiet(governor="performance", turbo="off", steal=0.0, busy=0.02, pressure=0.0),
        **installed(VERSIONS),
    }
    return Environment(**(fields | changes))


def with_gpu(**changes: Any) -> Environment:
    """The same with an H100 and a driver that fits."""
    return healthy(**({"gpus": (GPU,), "driver": DRIVER} | changes))


def system(**changes: Any) -> System:
    """The healthy system with some fields changed."""
    return dataclasses.replace(SYSTEM, **changes)


def driver(**changes: Any) -> Driver:
    """The healthy driver with some fields changed."""
    return dataclasses.replace(DRIVER, **changes)


def gpu(**changes: Any) -> Gpu:
    """The healthy GPU with some fields changed."""
    return dataclasses.replace(GPU, **changes)


def python(**changes: Any) -> Interpreter:
    """The healthy interpreter with some fields changed."""
    return dataclasses.replace(PYTHON_FACTS, **changes)


def builds(torch: str, vision: str = "", **others: Build) -> dict[str, Build]:
    """Builds of torch and, if named, torchvision."""
    found = {"torch": build("torch", torch)}
    if vision:
        found["torchvision"] = build("torchvision", vision)
    return found | others


def variables(**values: str) -> dict[str, str]:
    """The variables of a shell."""
    return {"PATH": "/usr/bin", **values}
