"""Facts about the same trouble in other words: versions, platforms, prefixes, cut texts, others."""

from __future__ import annotations

import pytest

from diagnostics.explain import explain
from diagnostics.explain.explainer import explain as explain_all
from diagnostics.finding import Finding

PREFIXES = (
    "",
    "[rank1]: ",
    "2026-06-01 08:00:00,123 ERROR worker: ",
    "(EngineCore_DP0 pid=60) ERROR 01-12 01:09:14 [core.py:708] ",
    "E       ",
)


def codes(text: str) -> list[str]:
    return [item.code for item in explain(text)]


def shown(text: str) -> list[Finding]:
    """The findings that are not folded under another one."""
    found = explain_all(text, unknown=True)
    folded = {code for item in found for code in item.explains}
    return [item for item in found if item.code not in folded]


SAME = [
    ("cudnn-mixed", "RuntimeError: cuDNN error: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH"),
    ("cudnn-mixed", "RuntimeError: CUDNN_FE failed: CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED"),
    (
        "torchcodec-ffmpeg",
        "FFmpeg version 7: libavutil.so.59: cannot open shared object file: No such file\n"
        "RuntimeError: Could not load libtorchcodec. Likely causes:",
    ),
    ("torchcodec-ffmpeg", "RuntimeError: Could not load libtorchcodec. Likely causes:"),
    (
        "torchcodec-torch",
        "FFmpeg version 8: libavutil.so.60: cannot open shared object file: No such file\n"
        "FFmpeg version 5: /v/torchcodec/libtorchcodec_core5.so: undefined symbol: "
        "_ZNK5torch8autograd4Node4nameEv",
    ),
    (
        "torchcodec-torch",
        "RuntimeError: Could not load libtorchcodec.\nFFmpeg version 7: dlopen(/v/torchcodec/"
        "libtorchcodec_core7.dylib): Symbol not found: __ZN3c106detail14torchCheckFailE",
    ),
    ("triton-ptxas", "ptxas fatal   : Value 'sm_103a' is not defined for option 'gpu-name'"),
    (
        "triton-ptxas",
        "torch._inductor.exc.InductorError: PTXASError: PTXAS error: Internal Triton PTX codegen "
        "error\n`ptxas` stderr:\nptxas fatal   : Value 'sm_110a' is not defined for option "
        "'gpu-name'",
    ),
    (
        "win-dll-init",
        "OSError: [WinError 1114] Eine DLL-Initialisierungsroutine ist fehlgeschlagen. Error "
        'loading "C:\\v\\Lib\\site-packages\\torch\\lib\\torch_python.dll" or one of its '
        "dependencies.",
    ),
    ("win-dll-missing", "OSError: [WinError 126] Le module spécifié est introuvable"),
    ("win-dll-procedure", "OSError: [WinError 127] Die angegebene Prozedur wurde nicht gefunden"),
    ("transformers-5-removed", "AttributeError: Qwen2Tokenizer has no attribute encode_plus"),
    (
        "transformers-5-removed",
        "AttributeError: 'CLIPTokenizer' object has no attribute 'batch_encode_plus'",
    ),
    (
        "transformers-5-removed",
        "ImportError: cannot import name 'is_torch_fx_available' from 'transformers.utils' (C:\\v\\"
        "Lib\\site-packages\\transformers\\utils\\__init__.py)",
    ),
    (
        "transformers-5-removed",
        "ImportError: cannot import name 'FlaxBertModel' from 'transformers' (unknown location)",
    ),
    (
        "ort-hub-link",
        'External data path: "onnx/decoder_model_merged_q4.onnx_data" escapes model directory: '
        '"C:\\Users\\a\\.cache\\huggingface\\hub\\models--x\\snapshots\\1"',
    ),
    (
        "ort-cuda-major",
        "onnxruntime-gpu 1.31.1, torch 2.9.1+cu126\nFailed to load library "
        "libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object "
        "file: No such file or directory",
    ),
    (
        "ort-cuda-major",
        'Error loading "C:\\v\\onnxruntime_providers_cuda.dll" which depends on "cublasLt64_12.dll" '
        "which is missing.\ntorch==2.11.0+cu130",
    ),
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("code", "text"), SAME)
def test_the_same_trouble_in_other_words_has_the_same_cause(
    code: str, text: str, prefix: str
) -> None:
    found = shown("".join(f"{prefix}{line}\n" for line in text.splitlines()))
    assert [item.code for item in found] == [code]


DIFFERENT = [
    # A mixed cuDNN is not a full GPU, and a full GPU is no mixed cuDNN.
    ("cudnn-status", "RuntimeError: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    # A path that leads upwards is no link of the Hub's cache.
    (
        "external-data-outside",
        "External data path validation failed for initializer: w. Error: External data path escapes "
        "model directory",
    ),
    # The libraries of one CUDA version are missing: preload_dlls() does help.
    (
        "ort-cuda-libs",
        "torch 2.11.0+cu130\nFailed to load library libonnxruntime_providers_cuda.so with error: "
        "libcublasLt.so.13: cannot open shared object file: No such file or directory",
    ),
    (
        "ort-cuda-libs",
        "Failed to load library libonnxruntime_providers_cuda.so with error: libcudnn.so.9: cannot "
        "open shared object file\ntorch 2.11.0+cu130",
    ),
    ("cxx-missing", "torch._inductor.exc.InductorError: InvalidCxxCompiler: No working C++"),
    ("module-missing", "ModuleNotFoundError: No module named 'torch'"),
    (
        "hf-removed-name",
        "ImportError: cannot import name 'Qwen9Model' from 'transformers' (/v/transformers.py)",
    ),
    ("hf-generate-cache", "AttributeError: 'tuple' object has no attribute 'get_seq_length'"),
    ("import-undefined-symbol", "ImportError: /v/_x.so: undefined symbol: PyObject_NotThere"),
    ("nvidia-lib-missing", "ImportError: libcudart.so.13: cannot open shared object file"),
]


@pytest.mark.parametrize(("code", "text"), DIFFERENT)
def test_a_like_text_of_another_cause_keeps_its_own_row(code: str, text: str) -> None:
    assert codes(text)[:1] == [code]


@pytest.mark.parametrize(
    "text",
    [
        "AttributeError: 'Encoder' object has no attribute 'encode_plus'",
        "Found GPU0 NVIDIA H100 which is of cuda capability 9.0.\nMinimum and Maximum cuda "
        "capability supported by this version of PyTorch is\n(7.5) - (12.0)",
        "FFmpeg version 7.1 Copyright (c) 2000-2025 the FFmpeg developers",
        "loading transformers tokenizer: no attribute was changed",
        "uv pip compile: resolved 12 packages; torch was found on the index",
        "Package torch (2.9.1) installed.",
    ],
)
def test_texts_without_the_trouble_are_not_explained(text: str) -> None:
    assert codes(text) == []


def test_the_release_of_torchcodec_follows_torch() -> None:
    text = (
        "The PyTorch version (2.8.0+cu128) is not compatible with\nthis version of TorchCodec.\n"
        "FFmpeg version 6: /v/libtorchcodec_core6.so: undefined symbol: x\n"
    )
    first = explain(text)[0]
    assert "0.7.* for torch 2.8" in first.cause
    assert "(FFmpeg 6 is there)" in first.summary
    assert '"torchcodec==0.7.*"' in first.fixes[0].shell


def test_a_removed_name_comes_with_its_successor_where_there_is_one() -> None:
    def advice(name: str) -> str:
        text = f"ImportError: cannot import name '{name}' from 'transformers.utils'"
        return explain(text)[0].fixes[0].shell

    assert advice("AutoModelForVision2Seq") == (
        "write AutoModelForImageTextToText in place of AutoModelForVision2Seq"
    )
    assert advice("is_safetensors_available").startswith("remove is_safetensors_available")
    assert advice("BeitFeatureExtractor") == (
        "write BeitImageProcessor in place of BeitFeatureExtractor"
    )


def test_an_empty_feed_reads_right() -> None:
    found = explain("ValueError: Required inputs (['x']) are missing from input feed ([]).")
    assert found[0].summary == "The model wants the inputs 'x'; the feed holds none of them."


def test_an_old_pickle_is_loaded_on_any_machine() -> None:
    found = explain("_pickle.UnpicklingError: Weights only load failed. Re-running `torch.load`")
    assert any('map_location="cpu"' in fix.shell for fix in found[0].fixes)


def test_the_rank_that_only_noticed_comes_after_the_one_that_failed() -> None:
    text = (
        "[rank0]: torch.distributed.DistBackendError: NCCL error in: x.cpp:1, remote process exited "
        "or there was a network error\n"
        "[rank2]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 2\n"
    )
    assert codes(text)[0] == "cuda-oom"
    assert "nccl-remote" in codes(text)


def test_a_command_is_printed_only_for_a_system_library_whose_package_is_known() -> None:
    known = explain("ImportError: libGL.so.1: cannot open shared object file: No such file")[0]
    assert known.fixes[0].shell == "sudo apt install libgl1"
    other = explain("OSError: libacme.so.4: cannot open shared object file: No such file")[0]
    assert other.code == "library-missing"
    assert not any("apt install" in fix.shell for fix in other.fixes)
