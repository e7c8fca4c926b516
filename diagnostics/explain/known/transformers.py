"""Messages of transformers and the Hugging Face Hub."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows, run, sh
from diagnostics.finding import Level

ROWS = rows(
    "transformers",
    row(
        "masked-import",
        r"Could not import module '(?P<name>\w+)'\. Are this object's requirements defined "
        r"correctly",
        r"Failed to import (?P<name>transformers\.[\w.]+) because of the following error",
        summary="transformers could not import {name}; the real cause is further up.",
        cause="It imports lazily and hides the first error: often a broken torchvision or CUDA "
        "library.",
        cures=(run("{python} -c 'import torch, torchvision'", "shows the real error"),),
        is_symptom=True,
    ),
    row(
        "hf-torch-missing",
        r"\b(?P<name>\w{1,80}) requires (?:the )?PyTorch(?: >= (?P<want>[\d.]+)| library)?,? but "
        r"(?:PyTorch|it) "
        r"was not found",
        r"PyTorch >= (?P<want>[\d.]+) is required but found (?P<have>[\w.+]+)",
        r"None of PyTorch, TensorFlow >= [\d.]+, or Flax have been found",
        summary="transformers found no torch that is new enough (wants {want}).",
        cause="torch is missing, older than this transformers asks for, or fails to import.",
        cures=(
            pip("install --upgrade torch torchvision", "brings a newer torch"),
            run("{python} -c 'import torch'", "shows whether it imports"),
        ),
    ),
    row(
        "hf-needs-package",
        r"\b(?P<name>\w{1,80}) requires the (?P<package>\w+) library but it was not found in your "
        r"environment",
        r"requires `?(?P<package>accelerate|sentencepiece|tiktoken|einops|timm|protobuf)`?[:\s]",
        r"This modeling file requires the following packages that were not found in your "
        r"environment: "
        r"(?P<package>[\w-]+)",
        summary="The package {package} is missing.",
        cause="Some models and options of transformers need extra packages.",
        cures=(pip("install {package}", "installs it"),),
    ),
    row(
        "offline-empty-cache",
        r"We couldn't connect to '(?P<host>https?://[^']+)' to load (?:the files|this file)",
        r"outgoing traffic has been disabled",
        r"LocalEntryNotFoundError",
        r"OfflineModeIsEnabled",
        summary="The files are not in the cache, and the Hub cannot be reached.",
        cause="Offline mode is on (HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE), or there is no connection.",
        cures=(
            sh("unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE", "allows the connection"),
            do("hf download <repo>", "fills the cache where there is a connection"),
        ),
        explains=("no-network",),
    ),
    row(
        "hf-home-bad",
        r"Not a directory: '(?P<path>[^'\n]{0,200}(?:huggingface|hf|token|hub|\.cache)[^'\n]*)'",
        r"Permission denied: '(?P<path>[^'\n]{0,200}(?:huggingface|hf_home|\.cache/)[^'\n]*)'",
        summary="The Hugging Face cache folder cannot be used: {path}.",
        cause="HF_HOME points to a file or to a folder that is not yours.",
        cures=(sh("export HF_HOME=/path/you/may/write", "moves the cache"),),
    ),
    row(
        "hf-gated",
        r"Access to model (?P<name>\S+) is restricted",
        r"GatedRepoError",
        r"You are trying to access a gated repo",
        summary="The model is gated: you must accept its terms first.",
        cause="The Hub gives the files only to accounts that did, and the request needs a token.",
        cures=(
            do("accept the terms on the model's page", "opens it for your account"),
            run("hf auth login", "stores your token"),
        ),
        explains=("hf-not-found",),
    ),
    row(
        "hf-not-found",
        r"(?<!\S)(?P<name>\S{1,200}) is not a local folder and is not a valid model identifier",
        r"Repository Not Found for url: (?P<name>\S+)",
        r"(?:HFValidationError: )?Repo id must be in the form 'repo_name' or 'namespace/repo_name'",
        summary="There is no such model on the Hub and no such folder: {name}.",
        cause="It is misspelt, private, or a path that does not exist.",
        cures=(
            do("check the name on the Hub; ls the folder", "shows which"),
            run("hf auth login", "when it is private"),
        ),
    ),
    row(
        "hf-no-weights",
        r"(?<!\S)(?P<name>\S{1,200}) does not appear to have (?:a file named|files named) "
        r"(?P<file>[^\n]{1,120})",
        r"Error no file named (?P<file>[^\n]{1,120}?) found in directory (?P<name>\S+)",
        summary="{name} lacks {file}",
        cause="The folder or repository holds another format, an adapter only, or was copied "
        "in part.",
        cures=(
            do("ls the folder; PeftModel for adapters, from_tf/gguf_file otherwise", "decides"),
        ),
    ),
    row(
        "hf-unknown-architecture",
        r"has model type `(?P<name>[\w-]+)` but Transformers does not recognize this architecture",
        r"Unrecognized (?:model|configuration class|processing class)[^\n]{0,20}(?P<name>\S+)",
        r"Unrecognized configuration class <class '(?P<name>[\w.]+)'> for this kind of AutoModel",
        summary="This transformers does not know the model type {name}.",
        cause="The model is newer than the library, config.json lacks model_type, or another "
        "AutoModel "
        "class is meant.",
        cures=(pip("install --upgrade transformers", "brings newer architectures"),),
    ),
    row(
        "hf-trust-remote-code",
        r"contains custom code which must be executed",
        r"requires you to execute the \w+ file",
        r"set the option `trust_remote_code=True`",
        summary="The model brings its own Python code.",
        cause="transformers runs it only when told to.",
        cures=(do("from_pretrained(..., trust_remote_code=True)", "runs it: read the code first"),),
    ),
    row(
        "hf-flash-attention",
        r"FlashAttention2 has been toggled on, but it cannot be used",
        r"Flash Attention 2[^\n]{0,40}(?:is not available|not supported)",
        r"FlashAttention only supports Ampere GPUs or newer",
        summary="Flash attention was asked for but cannot be used.",
        cause="The package flash_attn is missing, or the GPU is older than Ampere.",
        cures=(do('from_pretrained(..., attn_implementation="sdpa")', "uses torch's own"),),
    ),
    row(
        "hf-slow-tokenizer",
        r"Couldn't instantiate the backend tokenizer from one of",
        r"Converting from (?:SentencePiece and )?Tiktoken failed",
        summary="The tokenizer's files could not be converted.",
        cause="sentencepiece, tiktoken or protobuf is missing, or the files are incomplete.",
        cures=(pip("install sentencepiece tiktoken protobuf", "brings the converters"),),
    ),
    row(
        "hf-rate-limit",
        r"429 (?:Client Error: )?Too Many Requests",
        summary="The server refuses further requests for a while.",
        cause="Too many downloads from this address without a token.",
        cures=(run("hf auth login", "raises the limit"), do("wait some minutes", "ends it")),
    ),
    row(
        "no-network",
        r"getaddrinfo failed",
        r"Temporary failure in name resolution",
        r"Name or service not known",
        r"Max retries exceeded with url",
        r"Network is unreachable",
        summary="The server cannot be reached.",
        cause="There is no connection, no name server, or a proxy is needed.",
        cures=(sh("export HTTPS_PROXY=http://proxy:port", "goes through a proxy"),),
        is_symptom=True,
    ),
    row(
        "hf-generate-cache",
        r"'(?:tuple|DynamicCache|NoneType)' object has no attribute '(?P<name>get_seq_length|"
        r"get_max_length|seen_tokens|get_usable_length|is_updateable)'",
        summary="The model's code and transformers disagree about the cache ({name}).",
        cause="Remote code was written for another transformers version.",
        cures=(do("pin the transformers version that the model's page names", "fits its code"),),
        is_fallback=True,
    ),
    row(
        "hf-removed-name",
        r"cannot import name '(?P<name>\w+)' from "
        r"'(?P<module>transformers[\w.]*|huggingface_hub[\w.]*"
        r"|torchvision\.transforms\.functional_tensor|torch\.onnx[\w.]*|torchvision[\w.]*)'",
        r"No module named '(?P<module>torchvision\.transforms\.functional_tensor)'",
        summary="{module} no longer has what is imported, or does not have it yet ({name}).",
        cause="Another package was written for another version of it.",
        cures=(
            do("upgrade the package that imports it, or pin the older version", "makes them fit"),
        ),
        is_fallback=True,
    ),
    row(
        "hf-chat-template",
        r"tokenizer\.chat_template is not set and no template argument was passed",
        summary="The tokenizer has no chat template.",
        cause="Base models have none, and since 4.44 there is no default any more.",
        cures=(
            do("the model's -Instruct or -Chat variant", "comes with its template"),
            do("tokenizer.chat_template = open('template.jinja').read()", "sets one"),
        ),
    ),
    row(
        "hf-config-field",
        r"StrictDataclass\w*Error: (?:Class v|V)alidation error for (?:field|validator) '(?P<field>\w+)':\s*"
        r"(?P<what>[^\n]{1,160})",
        r"TypeError: Field '(?P<field>\w+)' expected (?P<what>[^\n]{1,120})",
        summary="config.json has a value that transformers 5 does not accept: {field}, {what}",
        cause="Configurations are checked since transformers 5: types and sizes that were silently "
        "taken before are errors.",
        cures=(do("correct {field} in config.json, or in the call", "satisfies the check"),),
    ),
    row(
        "hf-dtype-string",
        r"`(?:torch_)?dtype` provided as a `str` can only be `'auto'`, or a string representation",
        summary="The dtype's name is not one of torch's.",
        cause="It is misspelt; names are those of torch.float16, torch.bfloat16, torch.float32.",
        cures=(do('dtype="auto" or dtype=torch.bfloat16', "is accepted"),),
    ),
    row(
        "hf-quantizer-gpu",
        r"Loading a (?:\w+) quantized model requires? (?:an? )?(?P<what>[^\n]{1,80}?)"
        r"(?:, but|\.|$)",
        r"No GPU (?:or XPU )?found\. A (?:GPU|GPU or XPU) is needed for (?P<what>[\w-]+)",
        r"quantization method \w+ is currently only available on (?P<what>[^\n.]{1,60})",
        summary="This quantized model needs hardware or a package that is not here: {what}",
        cause="Its format is decoded by kernels for particular devices.",
        cures=(
            do("a GGUF or an unquantized variant of the model", "runs on the CPU"),
            run("{python} -c 'import torch; print(torch.cuda.is_available())'", "shows the GPU"),
        ),
    ),
    row(
        "hf-xet",
        r"(?:RuntimeError: )?Data processing error: (?P<what>[^\n]{1,160})",
        r"hf_xet[^\n]{0,80}(?:error|Error)",
        summary="The Hub's storage client (xet) failed: {what}",
        cause="A proxy or firewall blocks the storage hosts, the disk is full, or the transfer broke.",
        cures=(
            sh("export HF_HUB_DISABLE_XET=1", "downloads by plain HTTP"),
            pip("install --upgrade huggingface_hub hf-xet", "brings a newer client"),
        ),
        context=r"xet|CAS|huggingface",
    ),
    row(
        "hf-unauthorized",
        r"401 Client Error: Unauthorized for url: (?P<url>\S*huggingface\S*)",
        r"Invalid user token",
        summary="The Hub does not accept the token, or got none.",
        cause="The token is expired, mistyped, or set in HF_TOKEN while another one was stored.",
        cures=(
            run("hf auth whoami", "shows whether the stored token works"),
            run("hf auth login", "stores a new one"),
        ),
        explains=("hf-not-found",),
    ),
    row(
        "tokenizers-version",
        r"tokenizers(?P<want>[<>=!][^\s]{1,30}) is required for a normal functioning of this module, "
        r"but found tokenizers==(?P<have>[\w.]+)",
        summary="This transformers needs tokenizers {want}, and {have} is installed.",
        cause="Each transformers accepts a range of tokenizers releases.",
        cures=(pip('install "tokenizers{want}"', "takes one that fits"),),
    ),
    row(
        "tokenizer-enum",
        r"data did not match any variant of untagged enum (?P<what>\w+)",
        summary="tokenizer.json was written by a newer tokenizers library.",
        cause="The file uses a form that the installed release does not know.",
        cures=(pip("install --upgrade tokenizers transformers", "reads newer files"),),
        explains=("hf-slow-tokenizer",),
    ),
    row(
        "vllm-memory",
        r"Free memory on device[^\n]{0,40}?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is "
        r"less than desired GPU memory utilization \((?P<share>[\d.]+), (?P<want>[\d.]+) GiB\)",
        r"No available memory for the cache blocks",
        r"larger than the (?:maximum number of tokens|available KV cache memory)",
        summary="The GPU has too little free memory for vLLM (it wants {want} GiB, {free} of {total} "
        "GiB are free).",
        cause="vLLM reserves a fixed share of the card for weights and KV cache when it starts; "
        "another process (or an earlier one that did not end) holds part of it.",
        cures=(
            sh("nvidia-smi --query-compute-apps=pid,used_memory --format=csv", "shows who has it"),
            do("--gpu-memory-utilization 0.7", "asks for less"),
            do("--max-model-len 8192", "needs a smaller KV cache"),
        ),
        explains=("vllm-engine", "cuda-oom"),
    ),
    row(
        "vllm-engine",
        r"Engine core initialization failed\. See root cause above",
        r"Engine process failed to start\. See stack trace for the root cause",
        summary="vLLM's engine process ended while it started.",
        cause="Its own error is further up, in the lines of EngineCore.",
        cures=(do("look for the first ERROR line of EngineCore above", "is the cause"),),
        is_symptom=True,
    ),
    row(
        "hf-truncation-warning",
        r"Setting `pad_token_id` to `eos_token_id`",
        summary="No padding token is set; the end token is used.",
        cause="Usual for GPT-like models.",
        level=Level.INFO,
    ),
)
