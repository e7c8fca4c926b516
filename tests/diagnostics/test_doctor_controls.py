"""Machines with nothing wrong that a careless doctor would call ill."""

from __future__ import annotations

import pytest
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
    variables,
    with_gpu,
)

from diagnostics import records as a
from diagnostics.doctor import examine, exit_code
from diagnostics.environment import Environment
from diagnostics.finding import Level

H = Level.WARN.rank


def detour() -> a.Detour:
    return a.Detour(
        soname="libcudnn.so.9",
        library=f"{SITE}/torch/lib/libtorch_cuda.so",
        distribution="torch",
        found="/usr/local/cuda/lib64/libcudnn.so.9",
        shipped=f"{SITE}/nvidia/cu13/lib/libcudnn.so.9",
        harmless=True,
    )


def oddly_named() -> Environment:
    """torchao 0.18.0: one module of a wheel for all Pythons since 3.10 is named after 3.10 alone."""
    facts = installed(VERSIONS)
    odd = a.Misbuilt(
        path=f"{SITE}/torchao/_C_mxfp8.cpython-310-x86_64-linux-gnu.so",
        distribution="torchao",
        kind="tag",
        detail="built for cpython-310",
        built_for="cp310",
    )
    wheel = distribution("torchao", "0.18.0", tags=("cp310-abi3-manylinux_2_28_x86_64",))
    facts["packages"]["torchao"] = "0.18.0"
    facts["distributions"] = (*facts["distributions"], wheel)
    return healthy(linkage=a.Linkage(num_libraries=9, misbuilt=(odd,)), **facts)


CONTROLS: dict[str, Environment] = {
    "a module named after the oldest Python of its wheel": oddly_named(),
    "a CUDA build on a machine without a GPU": healthy(),
    "a CUDA build with its GPU": with_gpu(),
    "a CPU build on purpose": healthy(
        builds=builds("2.15.0+cpu", "0.29.2+cpu", onnxruntime=build("onnxruntime", "1.32.0")),
        **installed(VERSIONS | {"torch": "2.15.0+cpu", "torchvision": "0.29.2+cpu"}),
    ),
    "CUDA folders in LD_LIBRARY_PATH beside RPATH wheels": healthy(
        variables=variables(LD_LIBRARY_PATH="/usr/local/cuda/lib64"),
        linkage=a.Linkage(num_libraries=9, detours=(detour(),)),
    ),
    "an older minor driver of the same major": with_gpu(
        driver=driver(nvml_driver="580.65.06", cuda_version="13.0", kernel_version="580.65.06"),
        gpus=(gpu(driver="580.65.06"),),
    ),
    "a driver newer than torch's CUDA": with_gpu(driver=driver(cuda_version="13.9")),
    "sm_89 on a list with sm_86": with_gpu(gpus=(gpu(name="RTX 4090", capability="8.9"),)),
    "sm_103 on a list with sm_100": with_gpu(gpus=(gpu(name="B300", capability="10.3"),)),
    "sm_121 on a list with sm_120": with_gpu(gpus=(gpu(name="GB10", capability="12.1"),)),
    "a uv environment without pip": healthy(
        python=python(has_pip=False), **installed(VERSIONS, installer="uv")
    ),
    "a user who is not root": healthy(system=system(root=False)),
    "metadata without the local label": healthy(**installed(VERSIONS)),
    "an edited certifi": healthy(
        files=a.Files(
            losses=(a.Loss(distribution="certifi", num_files=9, num_missing=0, num_changed=1),),
            damages=(
                a.Damage(
                    distribution="certifi",
                    path=f"{SITE}/certifi/cacert.pem",
                    kind="size",
                    expected=1,
                    found=2,
                ),
            ),
        )
    ),
    "an editable install without RECORD": healthy(
        distributions=(*healthy().distributions, distribution("mine", "0.1", editable=True))
    ),
    "nvcc 13.0 beside torch 13.2": with_gpu(
        toolchain=a.Toolchain(
            cxx="/g",
            ninja="/n",
            nvcc="/n",
            nvcc_release="13.0",
            cuda_home="/c",
            cuda_home_source="nvcc",
            cuda_home_has_headers=True,
        )
    ),
    "no torchaudio": healthy(),
    "a torch newer than the table": healthy(
        builds=builds("3.2.0+cu141", "0.47.0+cu141"),
        packages=VERSIONS | {"torch": "3.2.0", "torchvision": "0.47.0"},
        distributions=(
            distribution("torch", "3.2.0", requires=()),
            distribution("torchvision", "0.47.0", requires=("torch>=3.2",)),
        ),
    ),
    "a folder named torch beside an installed torch": healthy(
        shadows=(a.Shadow(name="torch", path="/w/torch", kind="folder", where="current folder"),)
    ),
    "the default limit of open files": healthy(system=system(open_files=1024)),
    "a MIG slice": with_gpu(variables=variables(CUDA_VISIBLE_DEVICES="MIG-1234")),
    "a shortened device name": with_gpu(variables=variables(CUDA_VISIBLE_DEVICES="GPU-11111111")),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_nothing_is_wrong_with(name: str) -> None:
    results = examine(CONTROLS[name])
    loud = [f"{f.code}: {f.summary}" for r in results for f in r.findings if f.level.rank >= H]
    assert loud == []
    assert exit_code(results, strict=True) == 0


def test_a_machine_without_a_gpu_is_told_so_without_alarm() -> None:
    (result,) = examine(healthy(), select=["no-driver"])
    assert [found.level for found in result.findings] == [Level.INFO]
    assert "CPU" in result.findings[0].summary


def test_no_build_is_advised_while_the_driver_is_unknown() -> None:
    silent = a.Driver(pci_devices=1, device_files=("nvidia0",))
    environment = healthy(driver=silent, builds=builds("2.15.0+cpu"))
    (result,) = examine(environment, select=["cpu-build-on-gpu-host"])
    assert "nvidia-smi" in result.findings[0].fixes[0].shell
    assert "whl" not in result.findings[0].fixes[0].shell


def test_the_advised_build_is_never_above_the_driver() -> None:
    old = driver(nvml_driver="535.54.03", cuda_version="12.2", kernel_version="535.54.03")
    environment = with_gpu(builds=builds("2.15.0+cpu"), driver=old)
    (result,) = examine(environment, select=["cpu-build-on-gpu-host"])
    index = result.findings[0].fixes[0].argv[-1]
    assert index.rpartition("/")[2].startswith("cu12")
