"""Messages of CUDA and its libraries: architectures, missing libraries, failing kernels."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, root, row, rows, run, sh

_CPU_FIRST = do(
    "CUDA_LAUNCH_BLOCKING=1 python your_script.py",
    "makes the traceback point at the call that failed",
)

ROWS = rows(
    "cuda",
    row(
        "cpu-build-on-gpu-host",
        r"Torch not compiled with CUDA enabled",
        summary="This torch was built without CUDA.",
        cause="The CPU build is installed, and the program asked for a GPU.",
        cures=(
            pip(
                "install --force-reinstall torch torchvision",
                "installs the default CUDA build on Linux",
            ),
            do('use device = "cpu"', "runs without a GPU"),
        ),
    ),
    row(
        "arch-too-new",
        r"with CUDA capability (?P<sm>sm_\d+) is not compatible with the current PyTorch install",
        r"sm_\d+ is not compatible with the current PyTorch",
        summary="This torch has no code for the GPU's architecture {sm}.",
        cause="The build is older than the GPU, or the GPU older than what the build still supports.",
        cures=(
            pip(
                "install --upgrade --force-reinstall torch torchvision",
                "brings code for new GPUs (sm_100, sm_120)",
            ),
            pip(
                'install "torch==2.14.*" torchvision '
                "--index-url https://download.pytorch.org/whl/cu126",
                "keeps GPUs before sm_75 working: the last known series for CUDA 12.6",
            ),
        ),
        explains=("no-kernel-image",),
    ),
    row(
        "no-kernel-image",
        r"no kernel image is available for execution on the device",
        r"cudaErrorNoKernelImageForDevice",
        summary="The program has no code for this GPU's architecture.",
        cause="torch or an extension was compiled without the GPU's compute capability.",
        cures=(
            run(
                "{python} -c 'import torch; print(torch.cuda.get_device_capability(), "
                "torch.cuda.get_arch_list())'",
                "shows the GPU's capability and what was compiled",
            ),
            do("export TORCH_CUDA_ARCH_LIST=... and rebuild the extension", "adds the code"),
        ),
    ),
    row(
        "unsupported-ptx",
        r"the provided PTX was compiled with an unsupported toolchain",
        summary="The driver is too old to compile this program's PTX (CUDA error 222).",
        cause="Minor-version compatibility does not cover code that the driver compiles itself.",
        cures=(do("update the NVIDIA driver", "brings a compiler that knows this PTX"),),
    ),
    row(
        "nvidia-lib-missing",
        r"(?P<lib>lib(?:cudnn\w*|cublas\w*|cudart|cufft|curand|cusolver|cusparse\w*|nccl|nvrtc["
        r"\w-]*|"
        r"nvJitLink|cupti|nvToolsExt|cufile|nvshmem\w*)\.so[.\d]*): cannot open shared object file",
        summary="The library {lib} is missing.",
        cause="Its file was deleted, its link points nowhere, or the package that owns it was never "
        "installed.",
        cures=(
            run(
                "{python} -m diagnostics --select nvidia-lib-missing,file-missing",
                "names the package that owns it and the command that restores it",
            ),
            pip(
                "install --force-reinstall {torch}",
                "installs the same torch again with all its libraries",
            ),
        ),
        explains=("masked-import", "hf-torch-missing"),
    ),
    row(
        "cudnn-mixed",
        r"CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH",
        r"CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED",
        r"Could not load library libcudnn_\w+\.so[.\d]*\. Error: [^\n]{0,300}?undefined symbol",
        summary="Parts of two cuDNN versions were loaded into one process.",
        cause="cuDNN is a set of libraries that must all be of one release. The wheel's set lacks one "
        "(nvidia-cudnn-cu13 9.20 came without libcudnn_engines_tensor_ir), or LD_LIBRARY_PATH "
        "or PATH leads to another, and the loader took the missing one from the system.",
        cures=(
            sh(
                "LD_DEBUG=libs python your_script.py 2>&1 | grep 'calling init:.*cudnn'",
                "shows which copy of each part was loaded",
            ),
            pip(
                "install --upgrade --no-deps nvidia-cudnn-cu13",
                "brings a complete, newer set and moves nothing else (nvidia-cudnn-cu12 beside "
                "CUDA 12)",
            ),
            sh("unset LD_LIBRARY_PATH", "keeps the system's cuDNN out"),
            root("sudo apt remove 'libcudnn9*' 'cudnn9*'", "or removes the system's cuDNN"),
        ),
        explains=("cudnn-status", "cudnn-sublib", "import-undefined-symbol"),
        links=("https://github.com/pytorch/pytorch/issues/188892",),
    ),
    row(
        "cudnn-sublib",
        r"Cannot load symbol (?P<symbol>cudnn\w+)",
        r"Unable to load any of \{(?P<symbol>libcudnn\w+)",
        r"Could not load library (?P<symbol>libcudnn\S+)",
        summary="Part of cuDNN does not load ({symbol}).",
        cause="One of cuDNN's libraries is missing or belongs to another version.",
        cures=(
            pip(
                "install --force-reinstall {torch}",
                "installs the same torch again with the cuDNN that it needs",
            ),
            sh("unset LD_LIBRARY_PATH", "keeps another cuDNN out"),
        ),
    ),
    row(
        "nvjitlink-symbol",
        r"undefined symbol: __nvJitLink\w+",
        summary="An older libnvJitLink was found first.",
        cause="LD_LIBRARY_PATH leads to a CUDA toolkit that is older than torch's own libraries.",
        cures=(sh("unset LD_LIBRARY_PATH", "lets torch find its own libraries"),),
        explains=("import-undefined-symbol",),
        links=("https://github.com/pytorch/pytorch/issues/111469",),
    ),
    row(
        "cudnn-runtime-older",
        r"cuDNN version incompatibility: PyTorch was compiled\s+against \((?P<want>[\d, ]+)\) but "
        r"found runtime version \((?P<have>[\d, ]+)\)",
        summary="cuDNN {have} was loaded, but torch was compiled against {want}.",
        cause="Another cuDNN stands in LD_LIBRARY_PATH, or the installed one was changed.",
        cures=(
            sh("unset LD_LIBRARY_PATH", "keeps the other cuDNN out"),
            pip(
                "install --force-reinstall {torch}",
                "installs the same torch again with the cuDNN that it needs",
            ),
        ),
    ),
    row(
        "device-assert",
        r"device-side assert triggered",
        summary="A kernel on the GPU found an impossible value, most often a class or index out "
        "of range.",
        cause="Labels must be 0..C-1 and embedding indices below the table's size; on the GPU the "
        "check stops the whole context, and later errors mean nothing.",
        cures=(
            do("run the same batch on the CPU", "prints which index is out of range"),
            _CPU_FIRST,
        ),
        explains=("illegal-access", "cublas-status"),
    ),
    row(
        "illegal-access",
        r"an illegal memory access was encountered",
        r"CUDA error: unspecified launch failure",
        r"CUDA error: misaligned address",
        summary="A GPU kernel touched memory that is not its own.",
        cause="A bug in a kernel (often a custom extension), an index out of range, or a bad card.",
        cures=(
            _CPU_FIRST,
            do("compute-sanitizer python your_script.py", "names the kernel and the address"),
        ),
        is_symptom=True,
    ),
    row(
        "cublas-status",
        r"(?P<status>CUBLAS_STATUS_\w+) when calling",
        r"CUDA error: (?P<status>CUBLAS_STATUS_\w+)",
        summary="cuBLAS failed: {status}.",
        cause="Most often GPU memory is full (NOT_INITIALIZED, ALLOC_FAILED), an index was out "
        "of range "
        "just before, or two CUDA libraries are mixed (INVALID_VALUE, NOT_SUPPORTED).",
        cures=(
            do("halve the batch size", "shows whether memory is the cause"),
            _CPU_FIRST,
            sh("unset LD_LIBRARY_PATH", "keeps other CUDA libraries out"),
        ),
        is_symptom=True,
    ),
    row(
        "cudnn-status",
        r"cuDNN error: (?P<status>CUDNN_STATUS_\w+)",
        summary="cuDNN failed: {status}.",
        cause="Most often GPU memory is full or another cuDNN is loaded; NOT_SUPPORTED also "
        "comes from "
        "an input that is not contiguous.",
        cures=(
            do("halve the batch size", "shows whether memory is the cause"),
            sh("unset LD_LIBRARY_PATH", "keeps another cuDNN out"),
            do("torch.backends.cudnn.enabled = False", "shows whether cuDNN is the cause"),
        ),
        is_symptom=True,
    ),
    row(
        "cudnn-no-engine",
        r"(?:GET was )?[Uu]nable to find an engine to execute this computation",
        r"No valid (?:execution plans|engine configs)(?: built)?",
        r"HEURISTIC_QUERY_FAILED",
        summary="cuDNN has no algorithm for this operation here.",
        cause="GPU memory is full, the data type or layout is not supported on this GPU, or parts of "
        "two cuDNN versions are loaded.",
        cures=(
            do("halve the batch size", "shows whether memory is the cause"),
            do("torch.backends.cudnn.enabled = False", "shows whether cuDNN is the cause"),
            sh("unset LD_LIBRARY_PATH", "keeps another cuDNN out"),
        ),
        is_symptom=True,
    ),
    row(
        "bf16-old-gpu",
        r"Bfloat16 is only supported on GPUs with compute capability of at least 8\.0",
        r"(?:does not support|Your setup doesn't support) bf16",
        summary="This GPU has no bfloat16.",
        cause="bfloat16 needs compute capability 8.0 (Ampere) or newer.",
        cures=(do("float16: --dtype half, fp16=True, dtype=torch.float16", "runs on older GPUs"),),
    ),
    row(
        "invalid-device-ordinal",
        r"CUDA error: invalid device ordinal",
        r"device >= 0 && device < num_gpus",
        summary="The program asked for a GPU number that does not exist.",
        cause="Numbers start at 0 and count only the GPUs in CUDA_VISIBLE_DEVICES.",
        cures=(
            run("{python} -c 'import torch; print(torch.cuda.device_count())'", "counts the GPUs"),
        ),
    ),
    row(
        "gpu-busy",
        r"all CUDA-capable devices are busy or unavailable",
        summary="The GPU accepts no further process.",
        cause="It is in exclusive mode and another process holds it, or the process is too many.",
        cures=(sh("nvidia-smi --query-compute-apps=pid,name --format=csv", "shows who holds it"),),
    ),
    row(
        "deterministic-cublas",
        r"Deterministic behavior was enabled with either[\s\S]{0,400}?CUBLAS_WORKSPACE_CONFIG",
        summary="Deterministic mode needs a fixed cuBLAS workspace.",
        cause="cuBLAS may choose among workspaces, which changes the order of additions.",
        cures=(sh("export CUBLAS_WORKSPACE_CONFIG=:4096:8", "fixes the workspace"),),
    ),
)
