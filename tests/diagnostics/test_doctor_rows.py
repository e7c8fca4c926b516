"""Every static check over literal facts: what it says, how loud, and the command that it prints."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sample_environments import (
    GIB,
    PYTHON,
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
    variables,
    with_gpu,
)

from diagnostics import records as a
from diagnostics.doctor import examine
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.install_commands import line
from diagnostics.registry import checks


@dataclass(frozen=True)
class Row:
    code: str
    environment: Environment
    level: Level
    says: str
    fix: str = ""
    root: str = ""
    """The finding that explains this one in the same environment; its own code when empty."""


E, W, I = Level.ERROR, Level.WARN, Level.INFO  # noqa: E741
PIP = f"{PYTHON} -m pip install"
LIB = f"{SITE}/nvidia/cu13/lib/libcudnn.so.9"
CUDNN = "nvidia-cudnn-cu13"


def without(*names: str) -> dict[str, object]:
    return installed({name: v for name, v in VERSIONS.items() if name not in names})


def versions(**changed: str) -> dict[str, object]:
    return installed(VERSIONS | {name.replace("_", "-"): v for name, v in changed.items()})


def gpu_runtime() -> dict[str, object]:
    """The packages with the GPU build of ONNX Runtime in place of the other."""
    kept = {name: v for name, v in VERSIONS.items() if name != "onnxruntime"}
    return installed(kept | {"onnxruntime-gpu": "1.32.0"})


def damaged(kind: str, name: str = CUDNN, path: str = LIB, **sizes: int) -> Environment:
    changed = int(kind == "size")
    loss = a.Loss(distribution=name, num_files=9, num_missing=1 - changed, num_changed=changed)
    damage = a.Damage(distribution=name, path=path, kind=kind, **sizes)
    return healthy(files=a.Files(num_files=9, losses=(loss,), damages=(damage,)))


def linked(**fields: object) -> Environment:
    return healthy(linkage=a.Linkage(**fields))


def set_to(**values: str) -> Environment:
    return with_gpu(variables=variables(**values))


def stored(purpose: str, **fields: object) -> Environment:
    row = a.Disk(
        purpose=purpose, path="/data/x", **{"total": 500 * GIB, "free": 90 * GIB, **fields}
    )
    return healthy(disks=(row,))


BIN = PYTHON.rpartition("/")[0]


def framed(**fields: object) -> Environment:
    return healthy(frame=a.Frame(**fields))


UNRESOLVED = a.Unresolved(
    library=f"{SITE}/torch/lib/libtorch_cuda.so", distribution="torch", needs="libcudnn.so.9"
)
FOREIGN = a.Unresolved(library=f"{SITE}/foo/_f.so", distribution="foo", needs="libfoo.so.2")


def miss(provider: str, version: str) -> a.VersionMiss:
    return a.VersionMiss(
        library=f"{SITE}/torch/lib/libtorch_cpu.so",
        distribution="torch",
        provider=provider,
        versions=(version,),
    )


def detour(soname: str, *, harmless: bool) -> a.Detour:
    return a.Detour(
        soname=soname,
        library=f"{SITE}/torch/lib/libtorch_cuda.so",
        distribution="torch",
        found=f"/opt/old/{soname}",
        shipped=LIB,
        harmless=harmless,
    )


OLD_PATH = variables(LD_LIBRARY_PATH="/opt/old:/opt/keep")
CONTAINER = system(container="docker")
NO_LIBS = a.Driver(pci_devices=1)
CONDA_TORCH = (a.CondaPackage(name="pytorch", version="2.3.0"),)

ROWS = [
    Row("facts-missing", healthy(errors={"gpu": "no answer within 9 s"}), W, "gpu"),
    # python
    Row(
        "python-has-no-wheel",
        healthy(python=python(version="3.7.9"), builds={}, **without("torch")),
        I,
        "3.7.9",
        "uv venv --python",
    ),
    Row(
        "requires-python",
        healthy(
            distributions=(distribution("torch", "2.15.0", requires_python=">=3.12", requires=()),)
        ),
        E,
        "torch 2.15.0 (>=3.12)",
        PIP,
    ),
    Row(
        "pep668",
        healthy(python=python(externally_managed="/usr/lib/python3.11/EXTERNALLY-MANAGED")),
        I,
        "operating system",
        "-m venv .venv",
    ),
    Row("glibc-too-old", healthy(python=python(libc="glibc 2.17")), E, "glibc 2.17", "torch<2.7"),
    Row(
        "user-site-or-pythonpath-shadow",
        healthy(
            distributions=(
                distribution(
                    "torch",
                    "2.9.0",
                    directory=f"{python().user_site}/torch-2.9.0.dist-info",
                    requires=(),
                ),
                distribution("torch", "2.15.0"),
            )
        ),
        E,
        "2.9.0 hides 2.15.0",
        "PYTHONNOUSERSITE=1",
    ),
    Row(
        "broken-metadata",
        healthy(
            distributions=(distribution("foo", "1", flaw="METADATA: No such file or directory"),)
        ),
        W,
        "foo",
        "rm -r",
    ),
    Row(
        "local-file-shadows",
        healthy(
            shadows=(
                a.Shadow(name="torch", path="/w/torch.py", kind="file", where="current folder"),
            )
        ),
        E,
        "/w/torch.py",
        "mv /w/torch.py /w/my_torch.py",
    ),
    Row(
        "empty-dir-namespace",
        healthy(
            builds={},
            shadows=(
                a.Shadow(name="torch", path="/w/torch", kind="folder", where="current folder"),
            ),
            **without("torch"),
        ),
        E,
        "not installed",
        f"{PIP} torch",
        root="torch-installed",
    ),
    Row(
        "base-python-gone",
        framed(venv_home="/opt/python3.11/bin", venv_home_exists=False, venv_version="3.11.7"),
        E,
        "/opt/python3.11/bin",
        "python3.11 -m venv --upgrade /home/ann/.venv",
    ),
    Row(
        "base-python-changed",
        healthy(
            python=python(version="3.12.3"),
            builds={},
            frame=a.Frame(libraries_for=("3.11",)),
            packages={},
            distributions=(),
        ),
        E,
        "for Python 3.11, the environment's Python is now 3.12",
        "python3.11 -m venv",
    ),
    Row(
        "venv-moved",
        framed(
            scripts=(a.Script(path=f"{BIN}/pip", interpreter="/old/v/bin/python", is_dead=True),)
        ),
        E,
        "start nothing: pip",
        "sed -E -i",
    ),
    Row(
        "editable-gone",
        framed(
            editables=(("mine", "/src/mine"),), path_files=((f"{SITE}/m.pth", "/src/mine/src"),)
        ),
        E,
        "/src/mine",
        "uninstall -y mine",
    ),
    Row(
        "path-file-dead", framed(path_files=((f"{SITE}/x.pth", "/gone"),)), W, "x.pth", "sed -E -i"
    ),
    Row("pythonhome-wrong", framed(pythonhome="/opt/py"), E, "/opt/py", "unset PYTHONHOME"),
    Row(
        "pythonpath-missing", framed(pythonpath_missing=("/gone",)), I, "/gone", "unset PYTHONPATH"
    ),
    # driver
    Row("no-driver", healthy(driver=NO_LIBS), E, "no driver", "sudo apt install nvidia-driver-580"),
    Row(
        "driver-too-old",
        with_gpu(
            gpus=(gpu(driver="550.54.15"),),
            driver=driver(nvml_driver="550.54.15", cuda_version="12.4"),
        ),
        E,
        "550.54.15",
        "/whl/cu126",
    ),
    Row(
        "driver-library-mismatch",
        with_gpu(driver=driver(nvml_code=18)),
        E,
        "different versions",
        "sudo reboot",
    ),
    Row(
        "compat-803",
        with_gpu(
            driver=driver(cuda_code=803, cuda_library="/usr/local/cuda/compat/libcuda.so.1"),
            variables=variables(LD_LIBRARY_PATH="/usr/local/cuda/compat:/opt/x"),
        ),
        E,
        "803",
        "export LD_LIBRARY_PATH=/opt/x",
    ),
    Row("compat-804", with_gpu(driver=driver(cuda_code=804)), E, "804", "unset LD_LIBRARY_PATH"),
    Row(
        "fabric-manager-802",
        with_gpu(driver=driver(cuda_code=802)),
        E,
        "802",
        "nvidia-fabricmanager",
    ),
    Row(
        "cuda-unknown-999",
        with_gpu(driver=driver(cuda_code=999, device_files=("nvidia0",))),
        E,
        "no /dev/nvidia-uvm",
        "modprobe nvidia_uvm",
    ),
    Row(
        "kernel-module-not-loaded",
        with_gpu(driver=driver(kernel_loaded=False, nvml_code=9)),
        E,
        "not loaded",
        "modprobe nvidia",
    ),
    Row(
        "cuda-init-failed", with_gpu(driver=driver(probe_failure="timeout")), E, "timeout", "dmesg"
    ),
    Row(
        "arch-too-new",
        with_gpu(
            gpus=(gpu(name="NVIDIA GeForce RTX 5090", capability="12.0"),),
            builds={"torch": build("torch", "2.6.0+cu124", architectures=("sm_50", "sm_90"))},
            **installed({"torch": "2.6.0", CUDNN: "9.26.0.51"}),
        ),
        E,
        "sm_120",
        "/whl/cu13",
    ),
    Row(
        "arch-too-old",
        with_gpu(gpus=(gpu(name="NVIDIA GeForce GTX 1080", capability="6.1"),)),
        E,
        "sm_61",
        "/whl/cu126",
    ),
    Row(
        "container-no-gpus",
        healthy(system=CONTAINER, driver=NO_LIBS),
        E,
        "no NVIDIA devices",
        "--gpus all",
    ),
    Row(
        "container-capabilities",
        with_gpu(system=CONTAINER, driver=driver(cuda_library="", cuda_code=-1)),
        E,
        "no libcuda",
        "NVIDIA_DRIVER_CAPABILITIES=compute",
    ),
    Row(
        "container-lost-devices",
        with_gpu(system=CONTAINER, driver=driver(nvml_code=999)),
        E,
        "lost access",
        "docker restart",
    ),
    Row(
        "wsl-libcuda",
        with_gpu(
            system=system(wsl=True), driver=driver(cuda_library="", wsl_libraries=("libcuda.so.1",))
        ),
        E,
        "loader's path",
        "/usr/lib/wsl/lib",
    ),
    Row(
        "cuda-oom-other-process",
        with_gpu(gpus=(gpu(memory_free=GIB, processes=((42, 78 * GIB),)),)),
        W,
        "1 GiB of 80 GiB",
        "kill 42",
    ),
    Row("tf32-off", with_gpu(), I, "TF32", "set_float32_matmul_precision"),
    # versions
    Row(
        "torch-installed",
        healthy(builds={}, **without("torch")),
        E,
        "not installed",
        f"{PIP} torch torchvision",
    ),
    Row(
        "engine-torch",
        healthy(
            packages=VERSIONS | {"vllm": "0.10.2"},
            distributions=(
                distribution("torch", "2.15.0"),
                distribution(CUDNN, "9.26.0.51"),
                distribution("torchvision", "0.29.2"),
                distribution("numpy", "2.4.6"),
                distribution("vllm", "0.10.2", requires=("torch==2.8.0", "torchvision==0.23.0")),
            ),
        ),
        E,
        "vllm 0.10.2 was built for torch==2.8.0; 2.15.0+cu132 is installed",
        "torch==2.8.0 torchvision==0.23.0",
    ),
    Row(
        "tv-version-pair",
        healthy(
            builds=builds("2.15.0+cu132", "0.28.0+cu132"),
            packages=VERSIONS | {"torchvision": "0.28.0"},
            distributions=(
                distribution("torch", "2.15.0"),
                distribution(CUDNN, "9.26.0.51"),
                distribution("torchvision", "0.28.0", requires=("torch==2.13.0",)),
            ),
        ),
        E,
        "torchvision 0.28.0+cu132 does not belong",
        "torchvision>=0.29,<0.30",
    ),
    Row(
        "tv-stable-abi-needs-newer-torch",
        healthy(builds=builds("2.13.0+cpu", "0.29.2+cpu"), **versions(torch="2.13.0")),
        E,
        "newer torch: >=2.14.0",
        "torchvision==0.28.0 --index-url",
    ),
    Row(
        "tv-cpu-torch-cuda-vision",
        healthy(builds=builds("2.15.0+cpu", "0.29.2+cu132")),
        E,
        "a CPU build, torchvision a CUDA 13.2 build",
        "--force-reinstall --no-deps torchvision==0.29.2 --index-url "
        "https://download.pytorch.org/whl/cpu",
    ),
    Row(
        "cpu-build-on-gpu-host",
        with_gpu(
            builds={
                "torch": build("torch", "2.9.1+rocm6.4", hip="6.4", linked=("libtorch_hip.so",)),
            },
            packages={"torch": "2.9.1"},
            distributions=(distribution("torch", "2.9.1", requires=()),),
        ),
        W,
        "torch 2.9.1+rocm6.4 cannot use the GPU here (NVIDIA H100)",
        "torch",
    ),
    Row(
        "cpu-build-on-gpu-host",
        with_gpu(builds=builds("2.15.0+cpu")),
        W,
        "cannot use the GPU",
        "/whl/cu132",
    ),
    Row("torch-newer-than-table", healthy(builds=builds("3.1.0")), I, "newer than"),
    Row(
        "dependency-unmet",
        healthy(**versions(nvidia_cudnn_cu13="9.1.0.70")),
        E,
        "nvidia-cudnn-cu13==9.26.0.51, 9.1.0.70 is installed",
        f"{PIP} {CUDNN}==9.26.0.51",
    ),
    # files
    Row(
        "file-missing",
        damaged("missing"),
        E,
        "libcudnn.so.9",
        f"{PIP} --force-reinstall --no-deps {CUDNN}==9.26.0.51",
    ),
    Row("dangling-lib-symlink", damaged("dangling"), E, "points nowhere", "--force-reinstall"),
    Row(
        "file-truncated",
        damaged("size", expected=900, found=0),
        E,
        "cut short",
        f"--no-deps {CUDNN}==9.26.0.51",
    ),
    Row("interrupted-install", healthy(leftovers=(f"{SITE}/~orch",)), W, "left ~orch", "rm -r"),
    Row(
        "files-claimed-twice",
        healthy(
            files=a.Files(
                overlaps=(
                    a.Overlap(
                        first="opencv-python",
                        second="opencv-python-headless",
                        num_files=40,
                        example="cv2/__init__.py",
                    ),
                )
            )
        ),
        W,
        "both own 40",
        "uninstall",
    ),
    # libraries
    Row(
        "nvidia-lib-missing",
        linked(unresolved=(UNRESOLVED,)),
        E,
        "libcudnn.so.9",
        f"--no-deps {CUDNN}==9.26.0.51",
    ),
    Row("library-missing", linked(unresolved=(FOREIGN,)), W, "libfoo.so.2", f"{PIP} foo"),
    Row(
        "libstdcxx-too-old",
        healthy(
            linkage=a.Linkage(version_misses=(miss("/opt/old/libstdc++.so.6", "GLIBCXX_3.4.30"),)),
            variables=OLD_PATH,
        ),
        E,
        "GLIBCXX_3.4.30",
        "export LD_LIBRARY_PATH=/opt/keep",
    ),
    Row(
        "symbol-version-missing",
        linked(version_misses=(miss("/lib/libc.so.6", "GLIBC_2.38"),)),
        E,
        "GLIBC_2.38",
        "newer distribution",
    ),
    Row(
        "nvjitlink-symbol",
        healthy(
            variables=OLD_PATH,
            linkage=a.Linkage(
                version_misses=(miss("/opt/old/libnvJitLink.so.12", "libnvJitLink.so.12"),)
            ),
        ),
        E,
        "libnvJitLink.so.12",
        "LD_LIBRARY_PATH=/opt/keep",
    ),
    Row(
        "cudnn-runtime-older",
        healthy(
            variables=OLD_PATH,
            linkage=a.Linkage(detours=(detour("libcudnn.so.9", harmless=False),)),
        ),
        W,
        "/opt/old",
        "LD_LIBRARY_PATH=/opt/keep",
    ),
    Row(
        "library-overtaken",
        healthy(
            variables=OLD_PATH,
            linkage=a.Linkage(detours=(detour("libcublas.so.13", harmless=False),)),
        ),
        W,
        "/opt/old",
        "LD_LIBRARY_PATH=/opt/keep",
    ),
    Row(
        "ld-path-harmless", linked(detours=(detour("libcudnn.so.9", harmless=True),)), I, "not used"
    ),
    Row(
        "extension-misbuilt",
        healthy(
            packages=VERSIONS | {"old": "1.0"},
            linkage=a.Linkage(
                misbuilt=(
                    a.Misbuilt(
                        path=f"{SITE}/old/_c.so",
                        distribution="old",
                        kind="numpy",
                        detail="built against NumPy 1",
                    ),
                )
            ),
        ),
        E,
        "this is NumPy 2.4.6",
        f"{PIP} --upgrade old",
    ),
    Row(
        "extension-misbuilt",
        healthy(
            packages=VERSIONS | {"old": "1.0"},
            distributions=(distribution("old", "1.0", tags=("cp312-cp312-linux_x86_64",)),),
            linkage=a.Linkage(
                misbuilt=(
                    a.Misbuilt(
                        path=f"{SITE}/old/_c.cpython-310-x86_64-linux-gnu.so",
                        distribution="old",
                        kind="tag",
                        detail="built for cpython-310",
                        built_for="cp310",
                    ),
                )
            ),
        ),
        E,
        "built for cpython-310, this is",
        f"{PIP} --force-reinstall --no-deps old==1.0",
    ),
    Row(
        "extension-other-torch",
        healthy(
            packages=VERSIONS | {"flash-attn": "2.8.3+cu12torch2.7cxx11abiFALSE"},
            linkage=a.Linkage(
                foreign_symbols=(
                    a.ForeignSymbols(
                        distribution="flash-attn",
                        library=f"{SITE}/flash_attn_2_cuda.so",
                        symbols=("_ZN3c105ErrorC2ENS_14SourceLocationESs",),
                        num_symbols=7,
                        built_for="2.7",
                        other_strings=True,
                    ),
                )
            ),
        ),
        E,
        "flash-attn 2.8.3+cu12torch2.7cxx11abiFALSE was built for torch 2.7, this is torch 2.15.0",
        f"{PIP} --force-reinstall --no-cache-dir --no-deps --no-build-isolation --no-binary "
        "flash-attn flash-attn==2.8.3",
    ),
    Row(
        "omp-duplicates",
        linked(openmp=("/a/libiomp5.so", "/b/libomp.so")),
        W,
        "2 OpenMP",
        "/b/libomp.so",
    ),
    Row("conda-pip-mix", healthy(conda=CONDA_TORCH), E, "conda has pytorch 2.3.0", "conda remove"),
    Row(
        "conda-mkl-ijit",
        healthy(
            conda=(*CONDA_TORCH, a.CondaPackage(name="mkl", version="2024.2.0")),
            builds=builds("2.3.0"),
            **installed({"torch": "2.3.0", CUDNN: "9.26.0.51"}, installer="conda"),
        ),
        E,
        "2024.2.0",
        "mkl<2024.1",
    ),
    # variables
    Row(
        "cvd-empty",
        set_to(CUDA_VISIBLE_DEVICES=""),
        W,
        "hides every GPU",
        "unset CUDA_VISIBLE_DEVICES",
    ),
    Row(
        "cvd-bad-index",
        set_to(CUDA_VISIBLE_DEVICES="0,3"),
        W,
        "no device 3 (0 to 0)",
        "CUDA_VISIBLE_DEVICES=0",
    ),
    Row(
        "nvml-check-lies",
        set_to(PYTORCH_NVML_BASED_CUDA_CHECK="1"),
        W,
        "NVML",
        "unset PYTORCH_NVML",
    ),
    Row("omp-env-invalid", set_to(OMP_NUM_THREADS="four"), E, "'four'", "export OMP_NUM_THREADS=8"),
    Row(
        "alloc-conf-bad",
        set_to(PYTORCH_ALLOC_CONF="max_split_size_mb:64,expandable_segments:True"),
        W,
        "grow",
        "expandable_segments:True",
    ),
    Row(
        "debug-env-left-on",
        set_to(CUDA_LAUNCH_BLOCKING="1", NCCL_DEBUG="INFO"),
        W,
        "CUDA_LAUNCH_BLOCKING=1, NCCL_DEBUG=INFO",
        "unset CUDA_LAUNCH_BLOCKING NCCL_DEBUG",
    ),
    Row("ld-preload", set_to(LD_PRELOAD="/x/libstdc++.so.6"), W, "LD_PRELOAD", "unset LD_PRELOAD"),
    Row(
        "preload-missing",
        healthy(
            frame=a.Frame(preloads_missing=("/x/libjemalloc.so.2",)),
            variables=variables(LD_PRELOAD="/x/libjemalloc.so.2"),
        ),
        W,
        "libjemalloc",
        "unset LD_PRELOAD",
    ),
    Row(
        "threads-above-cores",
        healthy(variables=variables(OMP_NUM_THREADS="96")),
        W,
        "OMP_NUM_THREADS=96 on 8 cores",
        "export OMP_NUM_THREADS=8",
    ),
    # memory
    Row(
        "cpu-quota-ignored", healthy(system=system(quota=1.5)), W, "8 threads", "OMP_NUM_THREADS=2"
    ),
    Row("host-oom-kill", healthy(system=system(num_oom_kills=3)), W, "3 processes", "--memory"),
    Row("cpu-alloc-fail", healthy(system=system(address_space=4 * GIB)), W, "4 GiB", "ulimit -v"),
    Row(
        "shm-too-small",
        healthy(system=system(container="docker", shm_total=1 << 20, shm_free=1 << 20)),
        E,
        "1 MiB",
        "--shm-size=8g",
    ),
    Row("fd-limit", healthy(system=system(open_files=128)), W, "128", "ulimit -n 1048576"),
    # onnx and friends
    Row(
        "onnxscript-missing", healthy(**without("onnxscript")), W, "onnxscript", f"{PIP} onnxscript"
    ),
    Row("onnx-missing", healthy(**without("onnx")), W, "onnx is not", f"{PIP} onnx onnxscript"),
    Row(
        "protobuf-too-old",
        healthy(**versions(protobuf="3.20.1")),
        E,
        "protobuf 3.20.1",
        "protobuf>=4.25.1",
    ),
    Row(
        "ort-both",
        healthy(**versions(onnxruntime_gpu="1.31.1")),
        E,
        "over each other",
        f"-m pip uninstall -y onnxruntime onnxruntime-gpu && {PIP} onnxruntime==1.32.0",
    ),
    Row(
        "ort-gutted",
        healthy(
            files=a.Files(
                losses=(
                    a.Loss(
                        distribution="onnxruntime", num_files=320, num_missing=317, num_changed=0
                    ),
                )
            )
        ),
        E,
        "empty shell",
        "--force-reinstall --no-deps onnxruntime==1.32.0",
    ),
    Row(
        "ort-cuda-libs",
        with_gpu(
            linkage=a.Linkage(
                provider_wants=("libcublasLt.so.13",), provider_needs=("libcublasLt.so.13",)
            ),
            **gpu_runtime(),
        ),
        E,
        "libcublasLt.so.13",
        "onnxruntime-gpu[cuda,cudnn]",
    ),
    Row("ort-cpu-only-build", with_gpu(), I, "on the CPU", "onnxruntime-gpu[cuda,cudnn]"),
    Row(
        "ort-cuda-major-vs-torch",
        healthy(
            builds=builds("2.15.0+cu132", onnxruntime=build("onnxruntime", "1.20.0", cuda="12.4")),
            **gpu_runtime(),
        ),
        W,
        "CUDA 12.4",
        "onnxruntime-gpu",
    ),
    Row("netron-port", healthy(ports=a.Ports(taken={"netron": 8080})), I, "8080"),
    Row("torch-missing-or-old", healthy(builds=builds("2.5.1")), E, ">=2.6", "torch>=2.6"),
    Row(
        "offline-empty-cache",
        healthy(hub=a.Hub(home="/h", offline=True)),
        W,
        "empty",
        "unset HF_HUB_OFFLINE",
    ),
    Row(
        "hf-home-bad",
        stored("hub cache", is_directory=False, blocker="/data"),
        E,
        "/data/x",
        "export HF_HOME",
    ),
    Row(
        "safetensors-header",
        healthy(hub=a.Hub(broken=("/h/m.safetensors: a Git LFS pointer",))),
        E,
        "/h/m.safetensors",
        "rm /h/m.safetensors",
    ),
    # storage and the rest
    Row("disk-full-install", stored("temporary", free=GIB // 2), W, "512 MiB", "--no-cache-dir"),
    Row("tmp-noexec", stored("inductor", noexec=True), W, "noexec", "TORCHINDUCTOR_CACHE_DIR"),
    Row("environment-writable", stored("environment", writable=False), I, "cannot install", "venv"),
    Row(
        "dist-env", set_to(RANK="0", WORLD_SIZE="2"), W, "not MASTER_ADDR, MASTER_PORT", "torchrun"
    ),
    Row(
        "dist-port",
        healthy(
            ports=a.Ports(taken={"MASTER_PORT": 29500}), variables=variables(MASTER_PORT="29500")
        ),
        E,
        "29500",
        "MASTER_PORT=29501",
    ),
    Row(
        "nccl-system-error", set_to(NCCL_SOCKET_IFNAME="ib0"), E, "ib0", "unset NCCL_SOCKET_IFNAME"
    ),
    Row(
        "cxx-missing",
        healthy(toolchain=a.Toolchain(ninja="/n")),
        W,
        "no C++",
        "apt-get install -y g++",
    ),
    Row("ninja-missing", healthy(toolchain=a.Toolchain(cxx="/g")), I, "ninja", f"{PIP} ninja"),
    Row(
        "python-headers", healthy(python=python(has_headers=False)), I, "Python.h", "python3.11-dev"
    ),
    Row(
        "nvcc-mismatch",
        with_gpu(
            toolchain=a.Toolchain(
                cxx="/g",
                ninja="/n",
                nvcc="/n",
                nvcc_release="11.8",
                cuda_home="/c",
                cuda_home_source="nvcc",
            )
        ),
        W,
        "nvcc is CUDA 11.8",
        "cuda-13.2",
    ),
    Row(
        "wrong-cuda-home",
        healthy(toolchain=a.Toolchain(cxx="/g", cuda_home="/opt/x", cuda_home_source="CUDA_HOME")),
        W,
        "/opt/x",
        "CUDA_HOME=",
    ),
    Row("cuda-home-unset", with_gpu(), I, "no CUDA toolkit", "13.2 toolkit"),
    # fit to measure
    Row("quiet-governor", healthy(quiet=a.Quiet(governor="powersave")), I, "powersave", "cpupower"),
    Row("quiet-turbo", healthy(quiet=a.Quiet(turbo="on")), I, "turbo", "no_turbo"),
    Row("quiet-load", healthy(system=system(load=7.5)), W, "load 7.5 on 8", "ps -eo"),
    Row("quiet-steal", healthy(quiet=a.Quiet(steal=0.2)), W, "20.0%"),
    Row(
        "quiet-quota",
        healthy(system=system(quota=2.0), quiet=a.Quiet(throttled=50, periods=100)),
        W,
        "throttled in 50%",
        "OMP_NUM_THREADS=2",
        root="cpu-quota-ignored",
    ),
    Row(
        "quiet-threads",
        set_to(OMP_NUM_THREADS="2"),
        I,
        "OMP_NUM_THREADS=2",
        "unset OMP_NUM_THREADS",
    ),
    Row("quiet-swap", healthy(system=system(swap_used=4 * GIB)), W, "4 GiB", "swapoff"),
    Row("quiet-gpu-shared", with_gpu(gpus=(gpu(processes=((7, GIB),)),)), W, "pid 7", "kill 7"),
    Row(
        "quiet-gpu-throttled",
        with_gpu(gpus=(gpu(throttle=("thermal",)),)),
        W,
        "thermal",
        "nvidia-smi",
    ),
]


def only(code: str, environment: Environment) -> list[Finding]:
    (result,) = examine(environment, select=[code])
    assert result.status is not Level.CRASH, result.reason
    return list(result.findings)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.code) for row in ROWS])
def test_the_check_names_the_fault_and_the_command(row: Row) -> None:
    findings = only(row.code, row.environment)
    assert len(findings) == 1
    (found,) = findings
    assert (found.code, found.level) == (row.code, row.level)
    assert row.says in f"{found.summary} {found.cause}"
    lines = [line(fix) for fix in found.fixes]
    assert bool(row.fix) == bool(lines)
    assert row.fix in " ".join(text.replace("'", "") for text in lines)
    if row.level is not I:
        assert found.cause
        assert found.evidence


@pytest.mark.parametrize("row", [pytest.param(row, id=row.code) for row in ROWS])
def test_the_check_is_silent_on_a_healthy_machine(row: Row) -> None:
    loud = [f for f in only(row.code, healthy()) if f.level.rank >= Level.WARN.rank]
    assert loud == []


def test_every_static_check_has_a_row() -> None:
    assert {row.code for row in ROWS} == {item.code for item in checks() if not item.deep}
