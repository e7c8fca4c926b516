"""Checks the compilers and tools that torch.compile and C++ or CUDA extensions need."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import as_root, by_hand, export, finding
from diagnostics.install_commands import install
from diagnostics.registry import Skipped, check, need
from diagnostics.torch_build_choice import has_gpu


def _system_package(environment: Environment, debian: str, fedora: str, why: str) -> Fix:
    family = environment.system.distro_family
    sudo = "" if environment.system.root else "sudo "
    if "fedora" in family or "rhel" in family:
        return as_root(f"{sudo}dnf install -y {fedora}", why)
    return as_root(f"{sudo}apt-get install -y {debian}", why)


@check("cxx-missing", "There is a C++ compiler", "toolchain")
def cxx_missing(environment: Environment) -> Iterator[Finding]:
    """No C++ compiler is on the path, or CXX names one that does not exist.

    Why: torch.compile on the CPU and extensions need it: `InvalidCxxCompiler`, `Error building
    extension`. Cure: install g++.
    """
    tools = need(environment.toolchain)
    if tools.cxx:
        return
    if tools.cxx_asked:
        summary, cause = f"CXX={tools.cxx_asked} is no program here", "the variable CXX"
        fix: Fix = export("unset CXX", "lets torch look for g++ itself")
    else:
        summary, cause = "no C++ compiler (g++, c++ or clang++)", "it is not installed"
        fix = _system_package(environment, "g++", "gcc-c++", "installs it")
    yield finding(
        Level.WARN,
        f"{summary}: torch.compile and extensions will not work",
        cause=cause,
        evidence={
            "CXX": tools.cxx_asked or "not set",
            "PATH": environment.variables.get("PATH", ""),
        },
        fixes=(fix,),
        explains=("deep-compile", "deep-extension", "ninja-missing"),
    )


@check("ninja-missing", "Ninja is there for extensions", "toolchain")
def ninja_missing(environment: Environment) -> Iterator[Finding]:
    """Ninja is not on the path.

    Why: Building an extension fails with `Ninja is required to load C++ extensions`; torch itself
    does not need it. Cure: install it.
    """
    if not need(environment.toolchain).ninja:
        yield finding(
            Level.INFO,
            "ninja is not installed: torch.utils.cpp_extension.load needs it",
            evidence={"PATH": "no ninja"},
            fixes=(install(environment, "ninja", why="brings it as a package"),),
            explains=("deep-extension",),
        )


@check("python-headers", "Python's headers are there", "toolchain")
def headers(environment: Environment) -> Iterator[Finding]:
    """Python.h is missing.

    Why: extensions and Triton's launcher stop with `fatal error: Python.h: No such file`.
    Cure: the development package of this Python.
    """
    python = environment.python
    if python.has_headers or not python.headers:
        return
    minor = ".".join(python.version.split(".")[:2])
    yield finding(
        Level.INFO if not has_gpu(environment) else Level.WARN,
        f"Python.h of Python {minor} is missing: extensions cannot be built",
        cause="the development package is not installed",
        evidence={python.headers: "missing"},
        fixes=(_system_package(environment, f"python{minor}-dev", "python3-devel", "installs it"),),
        explains=("deep-extension", "deep-compile"),
    )


@check("nvcc-mismatch", "nvcc is of torch's CUDA", "toolchain")
def nvcc_mismatch(environment: Environment) -> Iterator[Finding]:
    """nvcc has another CUDA major version than torch.

    Why: CUDA extensions stop with `The detected CUDA version mismatches the version that was used
    to compile PyTorch`. Another minor version is fine. Cure: install the matching toolkit and set
    CUDA_HOME.
    """
    tools = need(environment.toolchain)
    torch = environment.torch
    if not tools.nvcc_release or not torch or not torch.cuda:
        raise Skipped("no nvcc beside a CUDA build of torch")
    if tools.nvcc_release.split(".")[0] == torch.cuda.split(".")[0]:
        return
    yield finding(
        Level.WARN if has_gpu(environment) else Level.INFO,
        f"nvcc is CUDA {tools.nvcc_release}, torch was built with {torch.cuda}",
        cause=f"CUDA_HOME is {tools.cuda_home} (from {tools.cuda_home_source})",
        evidence={
            tools.nvcc or tools.cuda_home: tools.nvcc_release,
            "torch/version.py": torch.cuda,
        },
        fixes=(
            by_hand(
                f"export CUDA_HOME=/usr/local/cuda-{torch.cuda} PATH=/usr/local/cuda-{torch.cuda}"
                f"/bin:$PATH",
                "after installing that toolkit",
            ),
        ),
    )


@check("wrong-cuda-home", "CUDA_HOME is a CUDA toolkit", "toolchain")
def wrong_home(environment: Environment) -> Iterator[Finding]:
    """CUDA_HOME, set or derived from nvcc on the path, contains no toolkit.

    Why: `No CUDA runtime is found, using CUDA_HOME='/usr/local'`, and extensions do not find
    cuda_runtime.h. Cure: set it to the toolkit's folder.
    """
    tools = need(environment.toolchain)
    if not tools.cuda_home or tools.cuda_home_has_headers:
        return
    named = tools.cuda_home_source.startswith("CUDA_")
    yield finding(
        Level.WARN if named else Level.INFO,
        f"{tools.cuda_home} (from {tools.cuda_home_source}) has no include/cuda_runtime.h",
        cause="the variable is wrong" if named else "nvcc on the path is a wrapper or incomplete",
        evidence={"CUDA_HOME": tools.cuda_home, "nvcc": tools.nvcc or "none"},
        fixes=(
            by_hand(
                "export CUDA_HOME=/usr/local/cuda PATH=/usr/local/cuda/bin:$PATH",
                "the folder that holds include/cuda_runtime.h",
            ),
        ),
    )


@check("cuda-home-unset", "A CUDA toolkit for extensions", "toolchain")
def no_home(environment: Environment) -> Iterator[Finding]:
    """There is a GPU and a CUDA build of torch, but no CUDA toolkit.

    Why: building CUDA extensions, and nothing else, needs one: `CUDA_HOME environment variable is
    not set`. Cure: install the toolkit to build extensions.
    """
    tools = need(environment.toolchain)
    torch = environment.torch
    if not has_gpu(environment) or not torch or not torch.cuda:
        raise Skipped("no GPU with a CUDA build of torch")
    if not tools.cuda_home:
        yield finding(
            Level.INFO,
            "no CUDA toolkit: fine unless CUDA extensions are to be built",
            evidence={"CUDA_HOME": "not set", "nvcc": "not on PATH"},
            fixes=(by_hand(f"install the CUDA {torch.cuda} toolkit", "brings nvcc"),),
        )
