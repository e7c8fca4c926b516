"""Environments outside of PyPI's CUDA wheels: healthy ones, and broken ones with their root cause.

Built from the product's own records. `docs/doctor.md` gets its table from these rows and from those of
`test_doctor_rows.py` and `test_doctor_controls.py`, by `doctor_table.py`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from sample_environments import (
    SITE,
    VERSIONS,
    build,
    builds,
    distribution,
    driver,
    gpu,
    healthy,
    installed,
    python,
    system,
    with_gpu,
)

from diagnostics import records as a
from diagnostics.environment import Environment

BASE_SITE = "/usr/lib/python3.11/site-packages"
CONDA_PREFIX = "/opt/conda"
CONDA_SITE = f"{CONDA_PREFIX}/lib/python3.11/site-packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One broken environment, the one root cause that is right, and its first command."""

    name: str
    environment: Environment
    root: str
    fix: str
    """Part of the first command."""
    also: tuple[str, ...] = ()
    """Codes that have to be folded under the root."""


def packages(**changes: str) -> dict[str, Any]:
    return installed(VERSIONS | {name.replace("_", "-"): v for name, v in changes.items()})


def without_nvidia(**changes: str) -> dict[str, Any]:
    """The packages of a torch that takes its CUDA libraries from elsewhere, and asks for none."""
    found = packages(**changes)
    found["packages"].pop("nvidia-cudnn-cu13")
    found["distributions"] = tuple(
        dataclasses.replace(d, requires=()) if d.name == "torch" else d
        for d in found["distributions"]
        if d.name != "nvidia-cudnn-cu13"
    )
    return found


def rocm(version: str, hip: str, release: str = "2.9.1", vision: str = "0.24.1") -> Environment:
    """PyTorch's ROCm wheels on an AMD machine."""
    label, major = f"+rocm{version}", version.split(".")[0]
    return healthy(
        builds={
            "torch": build("torch", release + label, hip=hip, linked=("libtorch_hip.so",)),
            "torchvision": build(
                "torchvision", vision + label, linked=(f"libamdhip64.so.{major}",)
            ),
        },
        **without_nvidia(torch=release + label, torchvision=vision + label)
        | {"distributions": _unpinned(torch=release + label, torchvision=vision + label)},
    )


def _unpinned(**versions: str) -> tuple[a.Distribution, ...]:
    """The distributions without the pins of today's releases."""
    found = without_nvidia(**versions)["distributions"]
    return tuple(
        dataclasses.replace(d, requires=()) if d.name in ("torch", "torchvision") else d
        for d in found
    )


def conda(
    torch: str = "2.7.1",
    vision: str = "0.22.0",
    *,
    cuda: str = "12.6",
    linked: tuple[str, ...] = ("libcudart.so.12",),
    **changes: Any,
) -> Environment:
    """Conda-forge's torch: no labels, no NVIDIA wheels, conda's records beside the metadata."""
    versions = {
        **{n: v for n, v in VERSIONS.items() if not n.startswith("nvidia-")},
        "torch": torch,
        "torchvision": vision,
    }
    records = tuple(
        a.CondaPackage(name=name, version=version, channel="conda-forge")
        for name, version in {**versions, "pytorch": torch, "libtorch": torch}.items()
        if name != "torch"
    )
    rows = tuple(
        distribution(
            name,
            version,
            installer="conda",
            requires=(),
            directory=f"{CONDA_SITE}/{name}-{version}.dist-info",
        )
        for name, version in versions.items()
    )
    fields: dict[str, Any] = {
        "python": python(
            executable=f"{CONDA_PREFIX}/bin/python",
            prefix=CONDA_PREFIX,
            base_prefix=CONDA_PREFIX,
            site_packages=(CONDA_SITE,),
            paths=(CONDA_SITE,),
        ),
        "packages": versions,
        "distributions": rows,
        "conda": records,
        "builds": {
            "torch": build("torch", torch, cuda=cuda, linked=linked, links_cuda=bool(linked)),
            "torchvision": build("torchvision", vision, linked=linked, links_cuda=bool(linked)),
            "onnxruntime": build("onnxruntime", "1.32.0"),
        },
    }
    return healthy(**(fields | changes))


def own_build(torch: str, vision: str, *, cuda: str = "12.9", **changes: Any) -> Environment:
    """A torch that no index serves: NVIDIA's containers, Jetson, compiled from source."""
    fields = {
        "builds": {
            "torch": build("torch", torch, cuda=cuda, linked=("libcudart.so.12",)),
            "torchvision": build("torchvision", vision, linked=("libcudart.so.12",)),
        },
        "packages": {
            **without_nvidia()["packages"],
            "torch": torch,
            "torchvision": vision,
        },
        "distributions": _unpinned(torch=torch, torchvision=vision),
    }
    return with_gpu(**(fields | changes))


def jetson() -> Environment:
    """A Jetson Orin: no PCI device, no NVML memory, a kernel of its own, CUDA in the system."""
    return own_build(
        "2.8.0",
        "0.23.0",
        cuda="12.6",
        frame=a.Frame(),
        python=python(machine="aarch64", soabi="cpython-310-aarch64-linux-gnu", version="3.10.12"),
        system=system(kernel="5.15.148-tegra", machine="aarch64"),
        gpus=(),
        driver=driver(
            pci_devices=0,
            kernel_version="540.4.0",
            nvml_driver="540.4.0",
            cuda_version="12.6",
            num_nvml_devices=0,
            device_files=("nvidia0", "nvidiactl"),
        ),
    )


def inherits(name: str, mine: str, theirs: str) -> Environment:
    """A virtual environment with --system-site-packages that overrides one package."""
    found = packages(**{name: mine})
    base = distribution(name, theirs, directory=f"{BASE_SITE}/{name}-{theirs}.dist-info")
    return healthy(
        python=python(site_packages=(SITE, BASE_SITE), paths=(SITE, BASE_SITE)),
        **found | {"distributions": (*found["distributions"], base)},
    )


def poetry() -> Environment:
    return healthy(
        python=python(prefix="/w/app/.venv", has_pip=False),
        **installed(VERSIONS, installer="poetry"),
    )


def overlap(first: str, second: str, example: str, on_disk: str, **fields: int) -> a.Overlap:
    fields = {"num_files": 40, "num_libraries": 3, **fields}
    return a.Overlap(first=first, second=second, example=example, on_disk=on_disk, **fields)


def with_overlaps(*overlaps: a.Overlap, **extra: str) -> Environment:
    facts = packages(**extra)
    return healthy(files=a.Files(num_files=999, overlaps=overlaps), **facts)


def engine(
    name: str, version: str, *requires: str, torch: str, label: str = "cu128"
) -> Environment:
    """An inference engine beside PyTorch's wheels of another release than the newest."""
    vision = {"2.8.0": "0.23.0", "2.9.1": "0.24.1"}[torch]
    found = without_nvidia(torch=torch, torchvision=vision, **{name: version})
    wants = {"torchvision": (f"torch=={torch}",), name: requires}
    found["distributions"] = tuple(
        dataclasses.replace(d, requires=wants.get(d.name, d.requires))
        for d in found["distributions"]
    )
    return healthy(builds=builds(f"{torch}+{label}", f"{vision}+{label}"), **found)


HEALTHY: dict[str, Environment] = {
    "vLLM with the torch that it pins": engine(
        "vllm", "0.10.2", "torch==2.8.0", "torchvision==0.23.0", torch="2.8.0"
    ),
    "vLLM with another CUDA 12 build of the torch that it pins": engine(
        "vllm", "0.10.2", "torch==2.8.0", torch="2.8.0", label="cu126"
    ),
    "JAX's plugin that takes any cuDNN 9": engine(
        "jax-cuda12-plugin",
        "0.7.0",
        "nvidia-cudnn-cu12<10,>=9.8; extra == 'with-cuda'",
        torch="2.8.0",
    ),
    "a free-threaded Python": healthy(
        python=python(version="3.14.0", soabi="cpython-314t-x86_64-linux-gnu", free_threaded=True),
        frame=a.Frame(venv_home="/usr/bin", venv_version="3.14.0", libraries_for=("3.14",)),
    ),
    "a GB10 that tells no memory of its own": with_gpu(
        system=system(machine="aarch64"),
        python=python(machine="aarch64", soabi="cpython-311-aarch64-linux-gnu"),
        gpus=(gpu(name="NVIDIA GB10", capability="12.1", memory_total=0, memory_free=-1),),
    ),
    "ROCm 6.4 wheels": rocm("6.4", "6.4.43484-123eb5128"),
    "ROCm 7.0 wheels": rocm("7.0", "7.0.51831", "2.10.0", "0.25.0"),
    "ROCm torch beside a torchvision of its patch release": rocm("6.4.1", "6.4.43484"),
    "XPU wheels": healthy(
        builds={
            "torch": build("torch", "2.9.1+xpu", xpu="20250201", linked=("libtorch_xpu.so",)),
            "torchvision": build("torchvision", "0.24.1+xpu"),
        },
        packages=without_nvidia(torch="2.9.1+xpu", torchvision="0.24.1+xpu")["packages"],
        distributions=_unpinned(torch="2.9.1+xpu", torchvision="0.24.1+xpu"),
    ),
    "conda-forge with CUDA": conda(gpus=(gpu(),), driver=driver()),
    "conda-forge for the CPU": conda(cuda="", linked=()),
    "conda-forge with torchvision of another patch release": conda("2.7.1", "0.22.0"),
    "conda-forge whose metadata pin what conda does not": conda(
        distributions=(
            *(d for d in conda().distributions if d.name != "torchvision"),
            distribution(
                "torchvision",
                "0.22.0",
                installer="conda",
                requires=("torch==2.7.0", "nvidia-cudnn-cu12==9.5.1.17", "pillow<11"),
            ),
        )
    ),
    "a conda torch with pip's transformers": conda(
        distributions=(
            *(d for d in conda().distributions if d.name != "transformers"),
            distribution("transformers", "5.23.0", installer="pip"),
        )
    ),
    "NVIDIA's container": own_build("2.8.0a0+5228986c39.nv25.06", "0.22.0a0"),
    "NVIDIA's container with its compatibility package": own_build(
        "2.9.0a0+145a3a7bda.nv25.10",
        "0.24.0a0",
        cuda="13.0",
        driver=driver(
            nvml_driver="570.86.10",
            kernel_version="570.86.10",
            cuda_version="13.0",
            cuda_library="/usr/local/cuda/compat/lib/libcuda.so.1",
        ),
        builds={
            "torch": build(
                "torch", "2.9.0a0+145a3a7bda.nv25.10", cuda="13.0", linked=("libcudart.so.13",)
            ),
            "torchvision": build("torchvision", "0.24.0a0", linked=("libcudart.so.13",)),
        },
    ),
    "NVIDIA's container with a transformers that asks for 2.8": own_build(
        "2.8.0a0+5228986c39.nv25.06",
        "0.22.0a0",
        distributions=(
            *_unpinned(torch="2.8.0a0+5228986c39.nv25.06", torchvision="0.22.0a0"),
            distribution("accelerate", "1.9.0", requires=("torch>=2.8.0",)),
        ),
    ),
    "a Jetson": jetson(),
    "a Jetson with NVIDIA's label": dataclasses.replace(
        jetson(),
        builds={
            "torch": build("torch", "2.5.0a0+872d972e41.nv24.08", cuda="12.6"),
            "torchvision": build("torchvision", "0.20.0a0+afc54f7"),
        },
        packages={n: v for n, v in jetson().packages.items() if n != "transformers"},
    ),
    "torch compiled from source": own_build("2.10.0a0+git1a2b3c4", "0.25.0a0+7a1b2c3"),
    "torchvision compiled for the CPU beside torch's CUDA wheel": healthy(
        builds={
            "torch": build("torch", "2.15.0+cu132"),
            "torchvision": build("torchvision", "0.29.2a0+f122815"),
        }
    ),
    "torchvision compiled from a tag": healthy(
        builds={
            "torch": build("torch", "2.15.0+cu132"),
            "torchvision": build("torchvision", "0.28.0+9eb57cd", linked=("libcudart.so.13",)),
        },
        distributions=(
            *(d for d in healthy().distributions if d.name != "torchvision"),
            distribution("torchvision", "0.28.0+9eb57cd", requires=("torch", "numpy")),
        ),
    ),
    "nightly wheels": healthy(
        builds=builds("2.16.0.dev20261120+cu132", "0.30.0.dev20261120+cu132"),
        packages=VERSIONS
        | {"torch": "2.16.0.dev20261120+cu132", "torchvision": "0.30.0.dev20261120+cu132"},
        distributions=(
            distribution("torch", "2.16.0.dev20261120+cu132", requires=()),
            distribution(
                "torchvision", "0.30.0.dev20261120+cu132", requires=("torch==2.16.0.dev20261120",)
            ),
        ),
    ),
    "a newer cuDNN than torch's pin": healthy(**packages(nvidia_cudnn_cu13="9.30.0.10")),
    "system site packages with an older numpy": inherits("numpy", "2.4.6", "1.26.4"),
    "system site packages with an older torch": inherits("torch", "2.15.0", "2.9.1"),
    "a poetry project": poetry(),
    "onnxruntime-gpu where a package asks for onnxruntime": healthy(
        packages={
            **{n: v for n, v in VERSIONS.items() if n != "onnxruntime"},
            "onnxruntime-gpu": "1.32.0",
        },
        distributions=(
            *(d for d in healthy().distributions if d.name != "onnxruntime"),
            distribution("onnxruntime-gpu", "1.32.0"),
            distribution("rembg", "2.0.60", requires=("onnxruntime", "numpy")),
        ),
    ),
    "headless OpenCV where a package asks for the other": healthy(
        packages=VERSIONS | {"opencv-python-headless": "4.12.0.88", "albucore": "0.1"},
        distributions=(
            *healthy().distributions,
            distribution("opencv-python-headless", "4.12.0.88"),
            distribution("albucore", "0.1", requires=("opencv-python>=4.9",)),
        ),
    ),
    "two packages that both ship a folder tests": with_overlaps(
        overlap("a", "b", f"{SITE}/tests/__init__.py", "b", num_files=2, num_libraries=0)
    ),
    "torch without torchvision": healthy(
        builds={"torch": build("torch", "2.15.0+cu132")},
        **installed({n: v for n, v in VERSIONS.items() if n != "torchvision"}),
    ),
    "CUDA 12.6 wheels on a Pascal card": with_gpu(
        gpus=(gpu(name="NVIDIA GeForce GTX 1080", capability="6.1"),),
        builds=builds("2.9.1+cu126", "0.24.1+cu126"),
        packages=VERSIONS | {"torch": "2.9.1+cu126", "torchvision": "0.24.1+cu126"},
        distributions=_unpinned(torch="2.9.1+cu126", torchvision="0.24.1+cu126"),
    ),
}
"""Nothing is wrong with these: no error may be found."""


def lacking(*names: str) -> Environment:
    """`pip install --no-deps torch torchvision`: each of these is asked for and not there."""
    wanted = tuple(f"{name}==1.0" for name in names)
    distributions = (
        distribution("torch", "2.15.0", requires=wanted),
        *(d for d in healthy().distributions if d.name not in ("torch", "nvidia-cudnn-cu13")),
    )
    unresolved = tuple(
        a.Unresolved(
            library=f"{SITE}/torch/lib/libtorch_cuda.so", distribution="torch", needs=needs
        )
        for needs in ("libcudnn.so.9", "libcublas.so.13", "libnccl.so.2")
    )
    return healthy(
        packages={n: v for n, v in VERSIONS.items() if n != "nvidia-cudnn-cu13"},
        distributions=distributions,
        linkage=a.Linkage(num_libraries=9, unresolved=unresolved),
    )


CUDNN_12 = overlap(
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
    f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9",
    "nvidia-cudnn-cu12",
)
NCCL_12 = overlap(
    "nvidia-nccl-cu12", "nvidia-nccl-cu13", f"{SITE}/nvidia/nccl/lib/libnccl.so.2", ""
)


BROKEN: tuple[Broken, ...] = (
    Broken(
        name="vLLM beside a newer torch and its torchvision",
        environment=engine("vllm", "0.10.2", "torch==2.8.0", "torchvision==0.23.0", torch="2.9.1"),
        root="engine-torch",
        fix="torch==2.8.0 torchvision==0.23.0",
        also=("dependency-unmet",),
    ),
    Broken(
        name="SGLang whose torch is in its extra, beside a newer one",
        environment=engine("sglang", "0.4.10", "torch==2.8.0; extra == 'srt'", torch="2.9.1"),
        root="engine-torch",
        fix="torch==2.8.0 torchvision==0.23.0",
    ),
    Broken(
        name="xFormers of another torch",
        environment=engine("xformers", "0.0.32.post2", "torch==2.8.0", torch="2.9.1"),
        root="engine-torch",
        fix="torch==2.8.0 torchvision==0.23.0",
    ),
    Broken(
        name="ROCm's torch where NVIDIA's driver answers",
        environment=dataclasses.replace(
            rocm("6.4", "6.4.43484"), gpus=(gpu(),), driver=driver(), linkage=a.Linkage()
        ),
        root="cpu-build-on-gpu-host",
        fix="https://download.pytorch.org/whl/cu",
    ),
    Broken(
        name="ROCm torch with PyPI's CUDA torchvision",
        environment=dataclasses.replace(
            rocm("6.4", "6.4.43484"),
            builds={
                "torch": build("torch", "2.9.1+rocm6.4", hip="6.4.43484"),
                "torchvision": build("torchvision", "0.24.1+cu128", linked=("libcudart.so.12",)),
            },
        ),
        root="tv-cpu-torch-cuda-vision",
        fix="torchvision==0.24.1 --index-url https://download.pytorch.org/whl/rocm6.4",
    ),
    Broken(
        name="XPU torch with PyPI's CUDA torchvision",
        environment=healthy(
            builds={
                "torch": build("torch", "2.9.1+xpu", xpu="2025"),
                "torchvision": build("torchvision", "0.24.1", linked=("libcudart.so.12",)),
            },
            packages=without_nvidia(torch="2.9.1+xpu", torchvision="0.24.1")["packages"],
            distributions=_unpinned(torch="2.9.1+xpu", torchvision="0.24.1"),
        ),
        root="tv-cpu-torch-cuda-vision",
        fix="torchvision==0.24.1 --index-url https://download.pytorch.org/whl/xpu",
    ),
    Broken(
        name="conda's CPU torch with pip's CUDA torchvision",
        environment=conda(
            cuda="",
            linked=(),
            builds={
                "torch": build("torch", "2.7.1"),
                "torchvision": build("torchvision", "0.22.1+cu126", linked=("libcudart.so.12",)),
            },
            distributions=(
                *(d for d in conda().distributions if d.name != "torchvision"),
                distribution("torchvision", "0.22.1", requires=("torch==2.7.1",)),
            ),
        ),
        root="tv-cpu-torch-cuda-vision",
        fix="uninstall -y torchvision && conda install -y -p /opt/conda torchvision",
    ),
    Broken(
        name="own torch with PyPI's torchvision of another release",
        environment=own_build(
            "2.10.0a0+git1a2b3c4",
            "0.24.1",
            distributions=(
                distribution("torch", "2.10.0a0+git1a2b3c4", requires=()),
                distribution("torchvision", "0.24.1", requires=("torch==2.9.1",)),
            ),
        ),
        root="tv-version-pair",
        fix="--no-build-isolation --no-binary torchvision",
    ),
    Broken(
        name="uv's CPU torch with a CUDA torchvision",
        environment=healthy(
            builds=builds("2.15.0+cpu", "0.29.2+cu132"), **installed(VERSIONS, installer="uv")
        ),
        root="tv-cpu-torch-cuda-vision",
        fix="uv pip install --python",
    ),
    Broken(
        name="poetry's cuDNN cut short",
        environment=dataclasses.replace(
            poetry(),
            files=a.Files(
                losses=(
                    a.Loss(
                        distribution="nvidia-cudnn-cu13", num_files=9, num_missing=0, num_changed=1
                    ),
                ),
                damages=(
                    a.Damage(
                        distribution="nvidia-cudnn-cu13",
                        path=f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9",
                        kind="size",
                        expected=9,
                        found=0,
                    ),
                ),
            ),
        ),
        root="file-truncated",
        fix="poetry install --directory /w/app",
    ),
    Broken(
        name="an older cuDNN than torch's pin",
        environment=healthy(**packages(nvidia_cudnn_cu13="9.1.0.70")),
        root="dependency-unmet",
        fix="nvidia-cudnn-cu13==9.26.0.51",
    ),
    Broken(
        name="CUDA 12's cuDNN installed over CUDA 13's",
        environment=with_overlaps(CUDNN_12, nvidia_cudnn_cu12="9.10.2.21"),
        root="files-claimed-twice",
        fix="uninstall -y nvidia-cudnn-cu12 && ",
    ),
    Broken(
        name="four NVIDIA packages of CUDA 12 left beside CUDA 13's",
        environment=with_overlaps(
            CUDNN_12, NCCL_12, nvidia_cudnn_cu12="9.10.2.21", nvidia_nccl_cu12="2.27.5"
        ),
        root="files-claimed-twice",
        fix="--force-reinstall --no-deps nvidia-cudnn-cu13==9.26.0.51",
    ),
    Broken(
        name="two builds of OpenCV, one asked for",
        environment=dataclasses.replace(
            with_overlaps(
                overlap(
                    "opencv-python",
                    "opencv-python-headless",
                    f"{SITE}/cv2/cv2.abi3.so",
                    "opencv-python-headless",
                ),
                opencv_python="4.12.0.88",
                opencv_python_headless="4.12.0.88",
                albumentations="2.0",
            ),
            distributions=(
                *packages(opencv_python="4.12.0.88", opencv_python_headless="4.12.0.88")[
                    "distributions"
                ],
                distribution("albumentations", "2.0", requires=("opencv-python-headless>=4.9",)),
            ),
        ),
        root="files-claimed-twice",
        fix="uninstall -y opencv-python && ",
    ),
    Broken(
        name="three builds of OpenCV",
        environment=with_overlaps(
            overlap("opencv-python", "opencv-contrib-python", f"{SITE}/cv2/cv2.abi3.so", ""),
            overlap("opencv-python", "opencv-python-headless", f"{SITE}/cv2/cv2.abi3.so", ""),
            opencv_python="4.12.0.88",
            opencv_python_headless="4.12.0.88",
            opencv_contrib_python="4.12.0.88",
        ),
        root="files-claimed-twice",
        fix="opencv-contrib-python==4.12.0.88",
    ),
    Broken(
        name="two builds of ONNX Runtime",
        environment=with_overlaps(
            overlap(
                "onnxruntime",
                "onnxruntime-gpu",
                f"{SITE}/onnxruntime/capi/onnxruntime_pybind11_state.so",
                "onnxruntime-gpu",
            ),
            onnxruntime_gpu="1.32.0",
        ),
        root="ort-both",
        fix="uninstall -y onnxruntime onnxruntime-gpu",
        also=("files-claimed-twice",),
    ),
    Broken(
        name="torch installed without its dependencies",
        environment=lacking(
            "filelock", "sympy", "networkx", "jinja2", "fsspec", "nvidia-cudnn-cu13", "triton"
        ),
        root="dependency-unmet",
        fix="-m pip install torch==2.15.0",
        also=("nvidia-lib-missing",),
    ),
    Broken(
        name="torch without its dependencies, which others ask for as well",
        environment=dataclasses.replace(
            lacking("filelock", "sympy", "jinja2", "nvidia-cudnn-cu13"),
            distributions=(
                *lacking("filelock", "sympy", "jinja2", "nvidia-cudnn-cu13").distributions,
                distribution("datasets", "4.0", requires=("filelock",)),
                distribution("flask", "3.1", requires=("jinja2>=3.1",)),
            ),
        ),
        root="dependency-unmet",
        fix="-m pip install torch==2.15.0",
    ),
    Broken(
        name="the driver updated without a restart",
        environment=with_gpu(
            gpus=(),
            driver=driver(nvml_code=18, cuda_code=803, cuda_version="", num_cuda_devices=-1),
        ),
        root="driver-library-mismatch",
        fix="sudo reboot",
        also=("compat-803",),
    ),
    Broken(
        name="the kernel module not loaded, every call failing",
        environment=with_gpu(
            gpus=(),
            driver=driver(kernel_loaded=False, nvml_code=9, cuda_code=999, cuda_version=""),
        ),
        root="kernel-module-not-loaded",
        fix="modprobe nvidia",
        also=("cuda-unknown-999",),
    ),
)
