"""Messages that come from environment variables."""

from __future__ import annotations

from diagnostics.explain.row import do, row, rows, sh
from diagnostics.finding import Level

ROWS = rows(
    "variables",
    row(
        "cvd-empty",
        r"No CUDA GPUs are available",
        summary="CUDA works, but no GPU is visible to this process.",
        cause="CUDA_VISIBLE_DEVICES is empty, -1, or names a GPU that does not exist.",
        cures=(
            sh('echo "[$CUDA_VISIBLE_DEVICES]"; nvidia-smi -L', "shows both sides"),
            sh("unset CUDA_VISIBLE_DEVICES", "makes all GPUs visible"),
        ),
    ),
    row(
        "omp-env-invalid",
        r"libgomp: Invalid value for environment variable (?P<name>\w+)",
        summary="The variable {name} does not hold a positive whole number.",
        cause="The OpenMP library ignores it and takes all processors.",
        cures=(sh("export OMP_NUM_THREADS=4", "sets a number that it understands"),),
        level=Level.WARN,
    ),
    row(
        "alloc-conf-bad",
        r"Unrecognized (?:key|CachingAllocator option)[^\n]{0,30}?:? '?(?P<key>[\w:]+)'?",
        r"Expected a (?:power of "
        r"two|single|value)[^\n]{0,60}(?:PYTORCH_\w*ALLOC_CONF|roundup_power2)",
        summary="PYTORCH_ALLOC_CONF holds something the allocator does not know ({key}).",
        cause="The format is key:value pairs with commas, e.g. expandable_segments:True.",
        cures=(sh("unset PYTORCH_ALLOC_CONF PYTORCH_CUDA_ALLOC_CONF", "goes back to the default"),),
    ),
    row(
        "cuda-home-without-runtime",
        r"No CUDA runtime is found, using CUDA_HOME='(?P<home>[^']*)'",
        summary="torch sees no GPU, and guessed {home} as the CUDA toolkit.",
        cause="The folder above nvcc is taken for the toolkit; harmless unless you build extensions.",
        cures=(sh("export CUDA_HOME=/usr/local/cuda", "names the toolkit"),),
        level=Level.INFO,
    ),
    row(
        "omp-duplicates",
        r"OMP: Error #15: Initializing (?P<one>\S+), but found (?P<two>\S+) already initialized",
        summary="Two copies of the OpenMP runtime are loaded ({one} and {two}).",
        cause="Two packages bring one each, often MKL from conda beside wheels from pip.",
        cures=(
            sh("conda install nomkl", "removes one of them in a conda environment"),
            do("KMP_DUPLICATE_LIB_OK=TRUE", "a workaround only: results may be wrong"),
        ),
    ),
)
