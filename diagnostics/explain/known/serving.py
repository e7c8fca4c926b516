"""Messages of inference engines and of the kernels and loaders that they bring."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, root, row, rows, run, sh

ROWS = rows(
    "serving",
    row(
        "engine-cuda-major",
        r"(?:libcudart|libcublas|libcublasLt|libnvrtc)\.so\.(?P<major>\d+): cannot open shared object file",
        context=r"(?:site|dist)-packages[\\/](?P<engine>vllm|sglang|sgl_kernel|flashinfer|flash_attn|"
        r"tensorrt_llm|torch_tensorrt|xformers|exllamav2|deep_gemm|auto_gptq|causal_conv1d|mamba_ssm)[\\/]",
        summary="{engine} was built for CUDA {major}, and the installed torch brings another one.",
        cause="A wheel with CUDA code needs the runtime of the CUDA major version that it was compiled "
        "with, and takes it from the packages that torch installs. torch from 2.11 on comes with CUDA 13 "
        "unless another index is named.",
        cures=(
            pip(
                "show torch {engine}",
                "shows both versions: the package's page says which torch it needs",
            ),
            do(
                "pip install {engine}==VERSION with the torch that it pins, in an environment of its own",
                "lets the engine choose its torch",
            ),
            do(
                "pip install torch --index-url https://download.pytorch.org/whl/cu12x (x: see the index)",
                "or brings torch to the engine's CUDA",
            ),
        ),
        explains=("nvidia-lib-missing", "masked-import"),
    ),
    row(
        "flashinfer-arch",
        r"FlashInfer requires GPUs with (?P<arch>sm\d+) or higher",
        summary="FlashInfer does not support this GPU: it needs {arch} or newer.",
        cause="Its kernels use instructions that older GPUs lack.",
        cures=(
            do(
                "vLLM: VLLM_ATTENTION_BACKEND=TRITON_ATTN; SGLang: --attention-backend triton",
                "uses other kernels",
            ),
        ),
    ),
    row(
        "triton-fp8-arch",
        r"type (?P<type>fp8\w+) not supported in this architecture",
        summary="This GPU has no {type}: 8-bit floats of that format need a newer one.",
        cause="fp8e4nv (float8_e4m3fn) needs compute capability 8.9: Ada, Hopper or newer.",
        cures=(
            do("take an int8, AWQ or GPTQ version of the model, or bfloat16", "runs on this GPU"),
            do("--kv-cache-dtype auto", "keeps the cache out of 8 bits"),
        ),
    ),
    row(
        "dtensor-mixed",
        r"(?P<op>aten\.[\w.]+): got mixed torch\.Tensor and DTensor",
        summary="{op} got a plain tensor beside a distributed one (DTensor).",
        cause="The parameters are sharded (FSDP2, tensor parallelism), and an input, a mask or a buffer is not.",
        cures=(
            do("distribute_tensor(x, mesh, [Replicate()])", "makes the plain one distributed"),
            do(
                "call the module that was parallelized, not its inner layers",
                "lets its hooks convert the inputs",
            ),
        ),
    ),
    row(
        "datasets-script",
        r"Dataset scripts are no longer supported, but found (?P<file>\S+\.py)",
        summary="datasets 4 no longer runs loading scripts ({file}).",
        cause="The data set is published as a Python script; version 4.0 removed that, and trust_remote_code with it.",
        cures=(
            do(
                'load_dataset(NAME, revision="refs/convert/parquet")',
                "takes the Hub's converted copy",
            ),
            pip('install "datasets<4"', "or goes back to the last version that runs scripts"),
        ),
    ),
    row(
        "offloaded-move",
        r"You can't move a model that has some modules offloaded to cpu or disk",
        summary="A model that was loaded with device_map cannot be moved with .to().",
        cause="The GPU's memory was too small, so that some modules lie in main memory or on the disk.",
        cures=(
            do(
                "leave .to() and .cuda() out: device_map has placed the model",
                "is all that is needed",
            ),
            do(
                "device_map='cuda:0' with fewer bits (quantization_config=...)",
                "puts all of it on one GPU",
            ),
            run(
                "{python} -m diagnostics fit MODEL_FOLDER",
                "tells in how many bits it fits the card",
            ),
        ),
    ),
    row(
        "meta-weight",
        r"(?P<name>[\w.]+) is on the meta device, we need a `value` to put in on",
        summary="The weight {name} was never loaded: it is still on the meta device.",
        cause="The checkpoint lacks it, or its name differs, so that there is nothing to put on the device.",
        cures=(
            do(
                "compare the checkpoint's keys with model.state_dict()",
                "shows the names that differ",
            ),
            pip(
                "install --upgrade transformers accelerate",
                "brings the renaming rules of newer models",
            ),
        ),
    ),
    row(
        "deepspeed-cuda",
        r"DeepSpeed Op Builder: Installed CUDA version (?P<toolkit>[\d.]+) does not match the version "
        r"torch was compiled with (?P<torch_cuda>[\d.]+)",
        summary="DeepSpeed compiles with CUDA {toolkit}, and torch is built for CUDA {torch_cuda}.",
        cause="Its operators are compiled when they are first used, by the nvcc of CUDA_HOME or of PATH.",
        cures=(
            sh(
                "export CUDA_HOME=/usr/local/cuda-{torch_cuda} PATH=$CUDA_HOME/bin:$PATH",
                "takes torch's toolkit",
            ),
            sh("export DS_SKIP_CUDA_CHECK=1", "accepts another minor version of the same major"),
        ),
    ),
    row(
        "keras-3",
        r"Your currently installed version of Keras is Keras 3, but this is not yet supported in Transformers",
        summary="transformers imports its TensorFlow part, which does not know Keras 3.",
        cause="TensorFlow is installed beside torch, and this transformers (4.x) looks at it as well.",
        cures=(
            pip("install tf-keras", "brings the Keras that it knows"),
            sh("export USE_TF=0", "or leaves TensorFlow out"),
        ),
    ),
    row(
        "flash-attn-cuda",
        r"FlashAttention is only supported on CUDA (?P<least>[\d.]+) and above",
        summary="flash-attn cannot be compiled: nvcc is older than CUDA {least}, or is another one than meant.",
        cause="It compiles with the nvcc of CUDA_HOME or of PATH, whatever CUDA torch was built for.",
        cures=(
            sh("nvcc -V; echo $CUDA_HOME", "shows which one is found"),
            do(
                "install the wheel of your torch, CUDA and Python from flash-attention's releases",
                "compiles nothing",
            ),
        ),
        explains=("wheel-build", "flash-attn-build"),
    ),
    row(
        "lightning-backend",
        r"No supported gpu backend found!",
        summary="Lightning was asked for a GPU, and torch sees none.",
        cause="accelerator='gpu' needs CUDA or MPS; torch is a CPU build, or the driver does not answer.",
        cures=(
            run("{python} -m diagnostics --select driver,versions", "says why no GPU is seen"),
            do("Trainer(accelerator='auto')", "takes what is there"),
        ),
    ),
    row(
        "cusolver-status",
        r"cusolver error: (?P<status>CUSOLVER_STATUS_\w+)",
        summary="cuSOLVER failed: {status}.",
        cause="NaN or Inf in the matrix, a matrix that is nearly singular, or no memory left for its workspace.",
        cures=(
            do("assert torch.isfinite(A).all()", "finds the usual cause"),
            do('torch.backends.cuda.preferred_linalg_library("magma")', "takes the other library"),
        ),
    ),
    row(
        "incomplete-download",
        r"Download failed because not enough bytes were received(?: \((?P<part>[^)\n]{1,60})\))?",
        r"IncompleteRead\((?P<have>\d+) bytes read, \d+ more expected\)",
        r"Failed to download distribution due to network timeout",
        summary="The connection broke off in the middle of a download.",
        cause="Wheels with CUDA have up to a gigabyte; a proxy, a slow line or a full disk ends the transfer. "
        "Nothing is wrong with the requirement.",
        cures=(
            sh(
                "pip install --resume-retries 10 --timeout 120 ...",
                "goes on where it broke off (pip 25.1 and later)",
            ),
            sh("export UV_HTTP_TIMEOUT=300", "gives uv more time"),
        ),
        explains=("no-network",),
    ),
    row(
        "sglang-memory",
        r"Not enough memory\. Please try to increase --mem-fraction-static",
        summary="The GPU has too little memory left for SGLang's cache beside the weights.",
        cause="--mem-fraction-static is the share of the card for weights and cache together; the weights "
        "alone nearly fill it.",
        cures=(
            do("--mem-fraction-static 0.9", "gives weights and cache a larger share"),
            do(
                "--context-length 8192, --tp 2, or a quantized version of the model",
                "needs less per card",
            ),
            run("{python} -m diagnostics fit MODEL_FOLDER", "tells what weights and cache take"),
        ),
    ),
    row(
        "tensorrt-engine-version",
        r"Version tag does not match\. Note: Current Version: (?P<now>\d+), Serialized Engine Version: (?P<then>\d+)",
        summary="The TensorRT engine was built by another version of TensorRT.",
        cause="An engine runs on the version, and on the kind of GPU, that it was built with.",
        cures=(
            do(
                "build the engine again with the installed TensorRT (trtexec, trtllm-build)",
                "makes one that fits",
            ),
        ),
    ),
    row(
        "tensor-parallel-heads",
        r"Total number of attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size "
        r"\((?P<size>\d+)\)",
        summary="{heads} attention heads cannot be split over {size} GPUs.",
        cause="Each GPU takes the same number of heads.",
        cures=(
            do("--tensor-parallel-size with a divisor of {heads}", "splits them evenly"),
            do("--pipeline-parallel-size {size}", "splits the layers instead"),
        ),
    ),
    row(
        "engine-architecture",
        r"Model architectures \[(?P<names>[^\]\n]{1,120})\] are not supported",
        r"GGUF model with architecture (?P<kind>[\w.-]+) is not supported yet",
        summary="This release does not know the model's architecture ({names}).",
        cause="The model is newer than the engine or library, or of a kind that it never took.",
        cures=(
            do("take a newer release, with the torch that it pins", "brings newer architectures"),
            do("--model-impl transformers (vLLM, SGLang)", "runs it by transformers' own code"),
        ),
    ),
    row(
        "fsdp-dtype",
        r"Must flatten tensors with uniform dtype but got (?P<one>torch\.\w+) and (?P<other>torch\.\w+)",
        summary="FSDP got parameters of two types in one unit: {one} and {other}.",
        cause="Its first version flattens all parameters of a unit into one tensor; adapters or norms are in "
        "another type.",
        cures=(
            do("model.to(torch.bfloat16) before wrapping", "makes one type of them"),
            do("fully_shard(model) (FSDP2)", "shards each parameter by itself"),
        ),
    ),
    row(
        "sdpa-no-kernel",
        r"No available kernel\. Aborting execution\.",
        summary="No kernel of scaled_dot_product_attention takes these inputs.",
        cause="sdpa_kernel(...) allows only backends that refuse the type, the head size, the mask or this GPU.",
        cures=(
            do(
                "sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])",
                "leaves one that always works",
            ),
        ),
    ),
    row(
        "awq-missing",
        r"Loading an AWQ quantized model requires (?P<name>[\w-]+) library",
        summary="The model is quantized with AWQ, and {name} is not installed.",
        cause="transformers leaves its kernels to another package.",
        cures=(
            do(
                "pip install gptqmodel --no-build-isolation (transformers 5), or autoawq (4)",
                "brings the kernels",
            ),
        ),
    ),
    row(
        "container-no-cdi",
        r"failed to discover GPU vendor from CDI: no known GPU vendor found",
        summary="Docker does not know how to pass a GPU through: NVIDIA's container toolkit is not set up.",
        cause="Docker 28.3 and later asks the Container Device Interface, whose files the toolkit writes.",
        cures=(
            root(
                "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml && sudo systemctl restart docker",
                "writes them",
            ),
            do("install nvidia-container-toolkit", "brings nvidia-ctk"),
        ),
    ),
    row(
        "kubernetes-no-gpu",
        r"nodes are available: [^\n]{0,200}?Insufficient (?P<resource>nvidia\.com/gpu|amd\.com/gpu)",
        summary="No node of the cluster has a free {resource}.",
        cause="All are taken, or the device plugin does not run on the nodes with GPUs.",
        cures=(
            sh("kubectl describe nodes | grep -A8 Allocatable", "shows how many each node offers"),
            sh("kubectl get pods -A | grep device-plugin", "shows whether the plugin runs"),
        ),
    ),
)
