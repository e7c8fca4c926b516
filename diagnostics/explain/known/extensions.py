"""Messages of packages with compiled parts of their own: torchcodec, bitsandbytes, torchao, ..."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, root, row, rows, run, sh
from diagnostics.finding import Level

_MISMATCH = (
    r"(?:undefined symbol|Symbol not found|[Ss]ymbol lookup error|WinError 127|"
    r"specified procedure could not be found)"
)
_AV = r"(?:av(?:util|codec|format|device|filter)|sw(?:scale|resample))"

_TORCHCODEC = {"2.10": "0.10.*", "2.9": "0.9.*", "2.8": "0.7.*", "2.7": "0.5.*", "2.6": "0.2.*"}
"""torch series to the newest torchcodec release that was built for it."""


def _torchcodec_release(values: dict[str, str]) -> dict[str, str]:
    series = values.get("torch_have", "")
    if series in _TORCHCODEC:
        return {"series": f"torch {series}", "release": _TORCHCODEC[series]}
    return {"series": f"torch {series}".strip(), "release": "<the release in torchcodec's table>"}


ROWS = rows(
    "extensions",
    row(
        "torchcodec-torch",
        rf"FFmpeg version (?P<ffmpeg>\d+):(?:(?!FFmpeg version)[\s\S]){{0,1600}}?{_MISMATCH}",
        rf"libtorchcodec_\w+\.(?:so|dylib|dll)[^\n]{{0,200}}?{_MISMATCH}",
        summary="torchcodec was built for another torch than the installed one (FFmpeg {ffmpeg} "
        "is there).",
        cause="Each torchcodec release is built for one torch series: {release} for {series}. FFmpeg "
        "itself was found: only the line with the missing symbol counts, the other FFmpeg "
        "versions need not be there.",
        cures=(
            do(
                'pip install "torchcodec=={release}" (for a CUDA build add --index-url of the '
                "index that torch came from)",
                "takes the release that was built for this torch and leaves torch alone",
            ),
        ),
        context=r"\A(?:[\s\S]{0,20000}?(?:The PyTorch version \(|\btorch==|\btorch )"
        r"(?P<torch_have>\d+\.\d+))?",
        derive=_torchcodec_release,
        explains=("import-undefined-symbol", "torchcodec-ffmpeg"),
        links=("https://github.com/meta-pytorch/torchcodec#installing-torchcodec",),
    ),
    row(
        "torchcodec-npp",
        r"(?P<lib>libnpp\w+\.so[.\d]*): cannot open shared object file",
        summary="torchcodec's CUDA build does not find NVIDIA's image library ({lib}).",
        cause="The CUDA wheels of torchcodec need NPP and NVRTC of CUDA's own major version.",
        cures=(
            do("pip install nvidia-npp (or nvidia-npp-cu12 for CUDA 12)", "brings the library"),
            do(
                "pip install --force-reinstall --no-deps torchcodec --index-url "
                "https://download.pytorch.org/whl/cpu",
                "takes the build for the CPU",
            ),
        ),
        context="torchcodec",
        explains=("torchcodec-ffmpeg",),
    ),
    row(
        "torchcodec-ffmpeg",
        rf"lib{_AV}[.-][\w.-]{{0,20}}: cannot open shared object file",
        rf"Library not loaded: [^\n]{{0,80}}lib{_AV}\.",
        r"Could not (?:load|find module) (?:torchcodec\b|[^\n]{0,200}libtorchcodec)",
        summary="FFmpeg's shared libraries were not found.",
        cause="torchcodec loads libavutil and its neighbours (FFmpeg 4 to 8) from the system; a "
        "static ffmpeg program does not bring them, and on Windows the `full-shared` build is "
        "needed. torchaudio 2.9 and later load and save through torchcodec.",
        cures=(
            root("sudo apt install ffmpeg", "installs the libraries on Debian and Ubuntu"),
            run("conda install -y -c conda-forge ffmpeg", "in a conda environment"),
            root("brew install ffmpeg", "on macOS (winget install Gyan.FFmpeg.Shared on Windows)"),
            do("soundfile.read(path) for WAV and FLAC", "needs no FFmpeg"),
        ),
        context="torchcodec|torchaudio",
        absent=rf"libtorchcodec\w*\.(?:so|dylib|dll)[^\n]{{0,120}}?{_MISMATCH}",
    ),
    row(
        "torchcodec-missing",
        r"TorchCodec is required for (?P<what>\w+)\. Please install torchcodec",
        r"To support (?:en|de)coding (?P<what>\w+) data, please install 'torchcodec'",
        summary="torchcodec is not installed ({what} needs it).",
        cause="torchaudio 2.9 and later load and save through torchcodec, datasets 4 decodes audio and "
        "video with it.",
        cures=(
            pip("install torchcodec {torch}", "brings it; torch stays as it is"),
            do(
                "take the torchcodec release of its table for your torch, and install FFmpeg",
                "when it does not load afterwards",
            ),
        ),
        explains=("module-missing",),
    ),
    row(
        "torchaudio-removed",
        r"module 'torchaudio' has no attribute '(?P<name>set_audio_backend|get_audio_backend|"
        r"list_audio_backends|info|AudioMetaData|io|sox_effects|kaldi_io|backend)'",
        r"No module named 'torchaudio\.(?P<name>backend|io|sox_effects|kaldi_io|prototype)",
        r"cannot import name '(?P<name>set_audio_backend|list_audio_backends|info|StreamReader|"
        r"AudioMetaData)' from 'torchaudio",
        summary="torchaudio 2.9 removed {name}.",
        cause="torchaudio is in maintenance: backends, streaming and metadata left for torchcodec.",
        cures=(
            do("torchcodec.decoders.AudioDecoder(path).metadata", "in place of torchaudio.info"),
            do("remove set_audio_backend: there are no backends any more", "needs no replacement"),
            do('pip install "torchaudio<2.9" with the torch of the same number', "keeps old code"),
        ),
        links=("https://github.com/pytorch/audio/issues/3902",),
    ),
    row(
        "bitsandbytes-cuda",
        r"Configured CUDA binary not found at (?P<path>\S+)",
        r"Could not find the bitsandbytes CUDA binary at (?:PosixPath\()?'?(?P<path>[^\s')]+)",
        r"(?P<path>libbitsandbytes_cuda\d+\w*\.(?:so|dll)): cannot open shared object file",
        r"CUDA binary not found[^\n]{0,60}libbitsandbytes",
        summary="bitsandbytes has no library for torch's CUDA version ({path}).",
        cause="It brings one library for each CUDA version that was known at its release, and looks "
        "for torch's: torch is newer than bitsandbytes, or it was built from source without CUDA.",
        cures=(
            pip("install --upgrade bitsandbytes {torch}", "brings more versions; torch stays"),
            sh(
                "export BNB_CUDA_VERSION=130",
                "takes the library of a near CUDA version with the same major number",
            ),
        ),
        explains=("bitsandbytes-setup", "nvidia-lib-missing"),
        links=("https://github.com/bitsandbytes-foundation/bitsandbytes/issues/1848",),
    ),
    row(
        "torchao-cpp-skipped",
        r"Skipping import of cpp extensions due to incompatible torch version (?P<torch_have>\S+)"
        r"(?: for torchao version (?P<ao>[\w.+]+))?",
        summary="torchao {ao} runs without its compiled kernels on torch {torch_have}.",
        cause="Its kernels are built for one torch series; the Python parts work, quantized layers "
        "are slower.",
        cures=(
            do(
                "pip install torchao==<release for your torch>, see the table",
                "brings kernels that fit; torch itself need not move",
            ),
        ),
        level=Level.WARN,
        links=("https://github.com/pytorch/ao/issues/2919",),
    ),
    row(
        "needs-mslk",
        r"[Rr]equires mslk >= (?P<want>[\d.]+)",
        summary="torchao's int4 and float8 kernels need the package mslk ({want} or newer).",
        cause="From 0.16 on torchao calls the kernels of mslk, which is not among its dependencies; "
        "they need a CUDA GPU.",
        cures=(
            pip('install "mslk>=1.0.0" {torch}', "brings the kernels; torch stays as it is"),
            do(
                "Int8WeightOnlyConfig() or, for the CPU, Int8DynamicActivationInt8WeightConfig()",
                "quantizes without mslk",
            ),
        ),
    ),
    row(
        "torchao-float8-gpu",
        r"Float8 dynamic quantization requires CUDA compute capability",
        r"float8[^\n]{0,60}requires[^\n]{0,60}(?:compute capability|CUDA capability)",
        summary="Float8 arithmetic is not there on this device.",
        cause="It needs an NVIDIA GPU from capability 8.9 on (Ada, Hopper, Blackwell), an MI300 or "
        "an Intel XPU.",
        cures=(
            do("Float8WeightOnlyConfig() or Int8WeightOnlyConfig()", "stores small, computes wide"),
        ),
    ),
    row(
        "torchao-removed",
        r"cannot import name '(?P<name>int4_weight_only|int8_weight_only|float8_weight_only|"
        r"int8_dynamic_activation_int[48]_weight|float8_dynamic_activation_float8_weight|"
        r"uintx_weight_only|fpx_weight_only|autoquant|swap_linear_with_smooth_fq_linear|"
        r"UIntXWeightOnlyConfig|GemliteUIntXWeightOnlyConfig|Int8DynamicActivationInt4WeightConfig|"
        r"to_affine_quantized_intx|change_linear_weights_to_\w+)' from 'torchao",
        summary="torchao no longer has {name}.",
        cause="The functions became configuration classes (int8_weight_only() is "
        "Int8WeightOnlyConfig()), and prototypes moved or were dropped.",
        cures=(
            do(
                "quantize_(model, Int8WeightOnlyConfig()); Int4WeightOnlyConfig, "
                "Float8DynamicActivationFloat8WeightConfig likewise",
                "is the present interface",
            ),
            do(
                "IntxWeightOnlyConfig and Int8DynamicActivationIntxWeightConfig for other widths",
                "replace the int4 CPU recipes",
            ),
        ),
    ),
    row(
        "pt2e-moved",
        r"No module named 'torch\.ao\.quantization\.(?P<name>quantize_pt2e|pt2e|quantizer|"
        r"experimental)[\w.]*'",
        r"cannot import name '(?P<name>prepare_pt2e|convert_pt2e|prepare_qat_pt2e|"
        r"XNNPACKQuantizer\w*|X86InductorQuantizer)' from 'torch\.ao",
        summary="torch no longer has PT2E quantization ({name}): it moved to torchao.",
        cause="torch 2.10 and later leave graph-mode quantization to the package torchao.",
        cures=(
            pip("install torchao {torch}", "brings it; torch stays as it is"),
            do(
                "from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e, convert_pt2e",
                "is the new place; quantizers: torchao.quantization.pt2e.quantizer, "
                "XNNPACK's: executorch",
            ),
        ),
        links=("https://github.com/pytorch/ao/issues/2259",),
    ),
    row(
        "flash-attn-build",
        r"(?:ModuleNotFoundError: )?No module named 'torch'",
        summary="A package needs torch while it is being built, and its build environment has none.",
        cause="pip and uv build in an isolated environment; flash-attn, torch-scatter, "
        "mamba-ssm, detectron2 and others import torch there. Installing torch again does not "
        "help.",
        cures=(
            pip("install setuptools wheel ninja packaging", "puts the build tools beside torch"),
            pip(
                "install --no-build-isolation flash-attn {torch}",
                "builds with the installed torch (name the package that failed)",
            ),
            do("a wheel built for your torch, CUDA and Python from the project's releases", "fast"),
        ),
        context=r"Getting requirements to build wheel|pip-build-env|get_requires_for_build|"
        r"build dependencies|metadata-generation-failed|build_wheel|Failed to build|"
        r"builds-v0|pip-install-\w+|build_editable|prepare_metadata",
        explains=("module-missing", "wheel-build", "metadata-generation"),
    ),
    row(
        "extension-other-torch",
        r"(?P<lib>[\w./+-]{1,240}\.(?:so|pyd)): undefined symbol: (?P<symbol>_ZN?K?\d?\w*(?:c10|2at|"
        r"at\d|5torch|3c10)\w*)",
        summary="{lib} was compiled for another torch than the installed one.",
        cause="It asks for the C++ symbol {symbol}, which this torch does not export: names change "
        "from release to release, and with the C++ ABI (builds before 2.6 differ).",
        cures=(
            do(
                "reinstall the package that owns the file in the release for your torch; built "
                "from source: pip install --force-reinstall --no-deps --no-build-isolation "
                "--no-cache-dir NAME",
                "links it against the installed torch",
            ),
            run("{python} -m pip show torch", "tells which torch is installed"),
        ),
        explains=("import-undefined-symbol", "masked-import"),
        absent="libtorchcodec",
    ),
    row(
        "sgl-kernel",
        r"\[sgl_kernel\] CRITICAL: Could not load any common_ops library",
        summary="sgl-kernel's compiled part does not load.",
        cause="Its wheel is for another CUDA major version, another torch or another GPU generation than "
        "the installed ones.",
        cures=(
            do(
                "pip install the sgl-kernel of your torch's CUDA (its index has cu129 and cu130 "
                "folders), in the release that sglang pins",
                "takes the build that fits",
            ),
        ),
        explains=("nvidia-lib-missing", "cuda-major-of-package"),
    ),
    row(
        "xformers-built-for",
        r"xFormers was built for:\s*PyTorch (?P<want>\S+)[^\n]*?\(you have (?P<have>[^)]+)\)",
        r"xFormers can't load C\+\+/CUDA extensions",
        summary="xFormers was built for another torch than the installed one ({want}, not {have}).",
        cause="Each xFormers wheel is built for one torch; its fast attention is switched off.",
        cures=(
            pip("install --upgrade xformers {torch}", "takes the release for this torch, if any"),
            do("torch.nn.functional.scaled_dot_product_attention", "does without xFormers"),
        ),
        level=Level.WARN,
    ),
    row(
        "cuda-major-of-package",
        r"(?P<lib>lib(?:cudart|cublas|cublasLt|cusparse|nvrtc|cusolver)\.so\.(?P<major>1[1-3]))"
        r"(?:\.\d+)*: cannot open shared object file",
        summary="A package was built for CUDA {major}; the installed torch brings CUDA {torch_major} "
        "({lib}).",
        cause="Compiled packages load the CUDA libraries that torch brings, so both must be built "
        "for one major version. Installing a second CUDA beside it mixes two.",
        cures=(
            do(
                "install the package's build for CUDA {torch_major} (its cu{torch_major}x wheel)",
                "one major version under both",
            ),
            do(
                "take torch's build for CUDA {major}: pip install torch==<release> --index-url "
                "https://download.pytorch.org/whl/cu{major}x",
                "the other way round",
            ),
        ),
        context=r"(?:\+cu|CUDA used to build PyTorch: |torch\.version\.cuda\W{1,6}|"
        r"torch [\d.]+ \(?CUDA )(?P<torch_major>1[1-3])",
        when=lambda values: values["major"] != values["torch_major"],
        absent=r"onnxruntime_providers",
        explains=("nvidia-lib-missing",),
    ),
)
