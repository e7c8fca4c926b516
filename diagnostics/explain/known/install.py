"""Messages of a broken installation: versions, variants, shadowed and damaged files."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows, run, sh

_PAIR = (
    run(
        "{python} -m diagnostics --select tv-version-pair,tv-cpu-torch-cuda-vision",
        "names the wrong one of the two and the command that replaces it",
    ),
    pip(
        "install --force-reinstall {torch} torchvision",
        "keeps torch's release and takes the torchvision that was built for it; a build with a "
        "label (+cpu, +cu126) also needs --index-url of its index",
    ),
)

ROWS = rows(
    "install",
    row(
        "tv-version-pair",
        r"operator torchvision::(?P<op>\w+) does not exist",
        r"Couldn't load custom C\+\+ ops",
        r"Failed to load '_C' extension",
        summary="torchvision's compiled operators do not load: it was built for another torch.",
        cause="torchvision and torch differ in version or in variant (one for the CPU, one "
        "for CUDA).",
        cures=_PAIR,
        explains=("masked-import",),
        links=("https://github.com/pytorch/pytorch/issues/157648",),
    ),
    row(
        "tv-cuda-major",
        r"PyTorch and torchvision (?:were compiled with different CUDA|has CUDA Version)",
        summary="torch and torchvision were compiled for different CUDA versions.",
        cause="They came from different package indexes.",
        cures=_PAIR,
    ),
    row(
        "tutorial-pair",
        r"Cannot install (?P<what>[^\n]{0,200}?) because these package versions have conflicting",
        r"(?P<what>torch(?:vision|audio)(?:==| )\S{1,40}) depends on torch==(?P<torch>[\w.]+)",
        summary="The pinned versions cannot be installed together: {what}.",
        cause="Each torchvision and torchaudio release is built for exactly one torch.",
        cures=(
            do(
                'python -m diagnostics lint "pip install torch==... torchvision==..."',
                "prints the line with versions that belong together",
            ),
        ),
    ),
    row(
        "no-matching-wheel",
        r"No matching distribution found for "
        r"(?P<what>(?:torch|onnx|netron|transformers)[\w.+=<>~!-]*)",
        r"Could not find a version that satisfies the requirement (?P<what>(?:torch|onnx)\S*)",
        r"has no wheels with a matching (?P<what>Python \w+ tag|platform tag)",
        summary="There is no wheel of {what} for this Python, platform or variant.",
        cause="The version was never built for this Python, this C library or this CUDA variant; "
        "the versions in brackets are those that would fit.",
        cures=(
            do(
                'python -m diagnostics lint "{what}"',
                "names the Python versions and variants that were built",
            ),
            run("uv venv --python 3.12", "makes an environment with another Python version"),
        ),
    ),
    row(
        "glibc-too-old",
        r"version `GLIBC_(?P<want>[\d.]+)' not found \(required by (?P<file>[^)]+)\)",
        summary="The C library of this system is older than {want}, which {file} needs.",
        cause="Wheels for manylinux_2_28 need glibc 2.28 (RHEL 8, Debian 10, Ubuntu 18.10 or newer).",
        cures=(
            do("use a newer distribution or container", "brings a newer C library"),
            pip(
                'install "torch<=2.6" "torchvision<=0.21"',
                "goes back to the last releases built for older C libraries",
            ),
        ),
    ),
    row(
        "libstdcxx-too-old",
        r"libstdc\+\+\.so\.6: version [`'](?P<want>(?:GLIBCXX|CXXABI)_[\d.]+)' not found",
        summary="The libstdc++ that was found first lacks {want}.",
        cause="An older libstdc++.so.6 stands before the right one: in LD_LIBRARY_PATH, in a conda "
        "environment, or as the system's own.",
        cures=(
            sh("unset LD_LIBRARY_PATH", "lets the loader find the system's library"),
            run(
                "conda install -c conda-forge libstdcxx-ng", "updates it inside a conda environment"
            ),
        ),
        links=("https://github.com/pytorch/pytorch/issues/87279",),
    ),
    row(
        "local-file-shadows",
        r"No module named '(?P<name>torch|onnx|netron|numpy|transformers)\.\w+'; '\w+' is "
        r"not a pack",
        r"partially initialized module '(?P<name>\w+)' (?:from '[^']*' )?has no attribute '\w+' "
        r"\(most likely due to a circular import",
        r"(?:partially initialized )?module '(?P<name>torch|onnx|netron)' has no attribute "
        r"'(?:nn|tensor|Tensor|load|start|__version__|save|cuda|utils)'",
        r"cannot import name 'Random' from 'random'",
        r"module 'profile' has no attribute 'run'",
        summary="A file or folder of your own is imported instead of the library {name}.",
        cause="Python looks in the script's folder before the installed packages; a torch.py, "
        "onnx.py, "
        "netron.py, random.py or profile.py there, or a folder of that name, wins.",
        cures=(
            do(
                "rename the file (and remove __pycache__ beside it)",
                "frees the name for the library",
            ),
            run(
                "{python} -m diagnostics --select file-missing,file-truncated,local-file-shadows",
                "names the file that shadows",
            ),
        ),
    ),
    row(
        "user-site-shadow",
        r"module 'torch\._C' has no attribute '(?P<name>\w+)'",
        summary="Python files of one torch met the compiled core of another ({name} is missing).",
        cause="Two copies of torch are on sys.path: a user site, PYTHONPATH or a half-done upgrade.",
        cures=(
            sh("export PYTHONNOUSERSITE=1; unset PYTHONPATH", "leaves one copy on the path"),
            pip("install --force-reinstall {torch}", "makes the remaining copy whole"),
        ),
        links=("https://github.com/pytorch/pytorch/issues/56126",),
    ),
    row(
        "conda-pip-mix",
        r"(?P<lib>libtorch_cuda_c(?:u|pp)\.so): cannot open shared object file",
        summary="{lib} belongs to a conda build of torch that pip has partly replaced.",
        cause="conda and pip both installed torch into one environment.",
        cures=(
            sh(
                "conda remove --force pytorch torchvision torchaudio",
                "removes conda's copy; then install again with one installer only",
            ),
        ),
    ),
    row(
        "conda-mkl-ijit",
        r"undefined symbol: iJIT_NotifyEvent",
        summary="torch was built against an older MKL than the installed one.",
        cause="MKL 2024.1 dropped the symbol iJIT_NotifyEvent that torch before 2.4 from conda uses.",
        cures=(run('conda install "mkl<2024.1"', "brings back an MKL that has the symbol"),),
        links=("https://github.com/pytorch/pytorch/issues/123097",),
    ),
    row(
        "file-truncated",
        r"(?<![\w./+-])(?P<lib>[\w./+-]{1,200}\.so[.\d]{0,20}): file too short",
        r"(?<![\w./+-])(?P<lib>[\w./+-]{1,200}\.so[.\d]{0,20}): invalid ELF header",
        summary="The library {lib} is damaged.",
        cause="An interrupted download or a full disk left a file that is cut off or not a library.",
        cures=(
            run(
                "{python} -m diagnostics --select file-missing,file-truncated,local-file-shadows",
                "names the package that owns it and the command that restores it",
            ),
        ),
        explains=("masked-import",),
    ),
    row(
        "import-undefined-symbol",
        r"(?:Import|OS)Error: (?P<lib>[^\n:]{1,200}\.so[^\n:]{0,60}): undefined symbol: "
        r"(?P<symbol>\w+)",
        summary="The extension {lib} was compiled against another version of its libraries.",
        cause="It asks for {symbol}, which the loaded torch (or CUDA library) does not have: the "
        "extension was built for another torch.",
        cures=(
            do(
                "reinstall or rebuild the package that owns this file for the installed torch",
                "links it against the symbols that are there",
            ),
        ),
        is_symptom=True,
        is_fallback=True,
        explains=("masked-import",),
    ),
)
