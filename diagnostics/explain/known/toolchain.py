"""Messages of compilers and build tools."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, root, row, rows, sh

ROWS = rows(
    "toolchain",
    row(
        "ninja-missing",
        r"Ninja is required to load C\+\+ extensions",
        summary="The build tool ninja is missing.",
        cause="torch.utils.cpp_extension builds with it.",
        cures=(pip("install ninja", "installs it"),),
    ),
    row(
        "cxx-missing",
        r"InvalidCxxCompiler: No working C\+\+ compiler found",
        r"InvalidCxxCompiler",
        r"Failed to find C compiler",
        r"error: command '?(?P<tool>gcc|g\+\+|cc|c\+\+|x86_64-linux-gnu-gcc)'? failed: No "
        r"such file",
        r"unable to execute '(?P<tool>gcc|g\+\+)'",
        summary="No working C++ compiler was found.",
        cause="torch.compile on the CPU and C++ extensions compile code at run time.",
        cures=(
            root("sudo apt install g++", "installs one"),
            sh("export CXX=/path/to/g++", "or names the one there is"),
        ),
        explains=("inductor", "extension-build"),
    ),
    row(
        "python-headers",
        r"fatal error: Python\.h: No such file or directory",
        summary="Python's header files are missing.",
        cause="Compiling extensions needs Python.h, which distributions ship apart.",
        cures=(root("sudo apt install python3-dev", "installs them"),),
        explains=("inductor", "extension-build"),
    ),
    row(
        "nvcc-mismatch",
        r"The detected CUDA version \((?P<have>[\d.]+)\) mismatches the version that was used to "
        r"compile\s+PyTorch \((?P<want>[\d.]+)\)",
        summary="nvcc is CUDA {have}, but torch was compiled with {want}.",
        cause="Extensions must be compiled with the same CUDA major version as torch.",
        cures=(
            sh("export CUDA_HOME=/usr/local/cuda-{want}", "uses the toolkit that fits"),
            do("install CUDA toolkit {want}", "when it is not there yet"),
        ),
    ),
    row(
        "cuda-home-unset",
        r"CUDA_HOME environment variable is not set",
        r"CMAKE_CUDA_COMPILER(?:-NOTFOUND| not set| could be found)",
        r"No CMAKE_CUDA_COMPILER could be found",
        summary="No CUDA toolkit was found.",
        cause="Compiling CUDA extensions needs nvcc; torch's wheels bring only the libraries.",
        cures=(sh("export CUDA_HOME=/usr/local/cuda", "names the toolkit, when it is installed"),),
    ),
    row(
        "nvcc-host-compiler",
        r"unsupported GNU version! gcc versions later than (?P<max>\d+) are not supported",
        summary="The C++ compiler is too new for this CUDA toolkit (at most gcc {max}).",
        cause="Each nvcc supports host compilers up to a version.",
        cures=(
            sh("export CC=gcc-{max} CXX=g++-{max}", "compiles with an older compiler"),
            root("sudo apt install g++-{max}", "installs it"),
        ),
    ),
    row(
        "link-driver",
        r"cannot find -l(?P<lib>cuda|cudart|cublas|cudnn|torch|python\d[\d.]*)\b",
        summary="The linker does not find lib{lib}.",
        cause="-lcuda is the driver's library: Triton and extensions link it, and containers without a "
        "GPU or without /usr/lib/wsl/lib on the path lack it; the others belong to the CUDA toolkit.",
        cures=(
            sh(
                "export LIBRARY_PATH=/usr/local/cuda/lib64/stubs:/usr/lib/wsl/lib:$LIBRARY_PATH",
                "links against the stub, or WSL's driver",
            ),
            root("sudo ldconfig", "refreshes the loader's list after a driver was installed"),
        ),
        explains=("inductor", "extension-build", "wheel-build"),
    ),
    row(
        "extension-build",
        r"Error building extension '(?P<name>[^']+)'",
        r"Error compiling objects for extension",
        summary="A C++ or CUDA extension did not compile.",
        cause="The first error above this line says why.",
        cures=(do("read the first line with `error:` above", "names the cause"),),
        is_symptom=True,
    ),
    row(
        "wheel-build",
        r"Failed building wheel for (?P<name>\S+)",
        r"Failed to build (?P<name>\S+) when installing build dependencies",
        summary="There is no ready wheel of {name} for this Python, and building it failed.",
        cause="pip fell back to the source package.",
        cures=(
            pip("install --only-binary=:all: {name}", "refuses source packages and says what fits"),
        ),
        is_symptom=True,
    ),
    row(
        "noexec-cache",
        r"(?<!\S)(?P<lib>\S{1,200}\.so): failed to map segment from shared object",
        summary="{lib} lies on a file system that forbids running code.",
        cause="The cache folder is mounted with `noexec`.",
        cures=(
            sh(
                "export TMPDIR=$HOME/tmp TORCHINDUCTOR_CACHE_DIR=$HOME/.cache/inductor "
                "TORCH_EXTENSIONS_DIR=$HOME/.cache/torch_extensions",
                "moves the caches to a place where code may run",
            ),
        ),
    ),
)
