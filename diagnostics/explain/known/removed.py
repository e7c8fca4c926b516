"""Messages about names that this year's releases removed or renamed."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows, run

TRANSFORMERS_5 = {
    "AutoModelForVision2Seq": "AutoModelForImageTextToText",
    "AutoModelWithLMHead": "AutoModelForCausalLM, AutoModelForMaskedLM or AutoModelForSeq2SeqLM",
    "AdamW": "torch.optim.AdamW",
    "BeamSearchScorer": "model.generate(num_beams=...)",
    "BeamScorer": "model.generate(num_beams=...)",
    "CLIPFeatureExtractor": "CLIPImageProcessor",
    "DisjunctiveConstraint": "model.generate(force_words_ids=...) of transformers 4",
    "PhrasalConstraint": "model.generate(force_words_ids=...) of transformers 4",
    "GreedySearchDecoderOnlyOutput": "GenerateDecoderOnlyOutput",
    "SampleDecoderOnlyOutput": "GenerateDecoderOnlyOutput",
    "HybridCache": "DynamicCache(config=model.config) or StaticCache",
    "HybridChunkedCache": "DynamicCache(config=model.config) or StaticCache",
    "MambaCache": "DynamicCache(config=model.config)",
    "OffloadedCache": "DynamicCache(offloading=True)",
    "SinkCache": "DynamicCache(config=model.config)",
    "LlamaFlashAttention2": "LlamaAttention with attn_implementation='flash_attention_2'",
    "LlamaSdpaAttention": "LlamaAttention with attn_implementation='sdpa'",
    "SummarizationPipeline": "the text-generation pipeline with a chat model",
    "Text2TextGenerationPipeline": "the text-generation pipeline with a chat model",
    "TranslationPipeline": "the text-generation pipeline with a chat model",
    "TRANSFORMERS_CACHE": "huggingface_hub.constants.HF_HUB_CACHE",
    "bytes_to_unicode": "transformers.convert_slow_tokenizer.bytes_to_unicode",
    "cached_path": "huggingface_hub.hf_hub_download",
    "shard_checkpoint": "huggingface_hub.split_torch_state_dict_into_shards",
    "MT5Tokenizer": "T5Tokenizer",
    "SlidingWindowCache": "DynamicCache(config=model.config)",
    "OffloadedStaticCache": "StaticCache(config=model.config, offloading=True)",
    "HQQQuantizedCache": "QuantizedCache",
    "QuantoQuantizedCache": "QuantizedCache",
    "VisualQuestionAnsweringPipeline": "the image-text-to-text pipeline",
    "ImageToTextPipeline": "the image-text-to-text pipeline",
    "QuestionAnsweringPipeline": "AutoModelForQuestionAnswering, or a chat model",
    "ConversationalPipeline": "the text-generation pipeline with a list of messages",
    "Conversation": "a list of messages",
    "LineByLineTextDataset": "the package datasets",
    "TextDataset": "the package datasets",
    "load_tf_weights_in_bert": "nothing: TensorFlow support was removed",
    "ConstrainedBeamSearchScorer": "model.generate of transformers 4",
    "LogitsWarper": "LogitsProcessor",
    "SpecialTokensMixin": "PreTrainedTokenizerBase",
    "TF2_WEIGHTS_NAME": "nothing: TensorFlow support was removed",
    "TF_WEIGHTS_NAME": "nothing: TensorFlow support was removed",
    "FLAX_WEIGHTS_NAME": "nothing: Flax support was removed",
    "is_torch_tpu_available": "is_torch_xla_available",
    "is_torch_sdpa_available": "nothing: it is always true",
    "LossKwargs": "transformers.utils.TransformersKwargs",
    "KwargsForCausalLM": "transformers.utils.TransformersKwargs",
    "FlashAttentionKwargs": "transformers.modeling_flash_attention_utils.FlashAttentionKwargs",
    "cached_property": "functools.cached_property",
    "is_offline_mode": "huggingface_hub.is_offline_mode",
    "get_full_repo_name": "huggingface_hub.get_full_repo_name",
    "send_example_telemetry": "nothing: remove the call",
    "PYTORCH_PRETRAINED_BERT_CACHE": "huggingface_hub.constants.HF_HUB_CACHE",
    "apply_chunking_to_forward": "transformers.pytorch_utils.apply_chunking_to_forward",
    "prune_linear_layer": "transformers.pytorch_utils.prune_linear_layer",
    "Conv1D": "transformers.pytorch_utils.Conv1D",
    "no_init_weights": "transformers.initialization.no_init_weights",
    "VideoInput": "transformers.video_utils.VideoInput",
    "make_batched_videos": "transformers.video_utils.make_batched_videos",
    "LlamaLinearScalingRotaryEmbedding": "LlamaRotaryEmbedding(config)",
    "LlamaDynamicNTKScalingRotaryEmbedding": "LlamaRotaryEmbedding(config)",
    "LLAMA_ATTENTION_CLASSES": "LlamaAttention, which looks at config._attn_implementation",
    "LLAMA_INPUTS_DOCSTRING": "nothing: docstrings are made by auto_docstring",
    "is_torch_fx_available": "is_torch_available (every torch that is supported has torch.fx)",
    "is_safetensors_available": "nothing: safetensors is always there",
    "is_torch_greater_or_equal_than_1_13": "nothing: it is always true",
    "is_tf_available": "nothing: TensorFlow support was removed",
    "is_flax_available": "nothing: Flax support was removed",
    "find_pruneable_heads_and_indices": "nothing: head pruning was removed; copy the function",
}
"""Importable names that transformers 5 removed or moved, with what takes their place."""

TRANSFORMERS_5_ATTRIBUTES = {
    "batch_encode_plus": "the tokenizer itself: tokenizer(texts, ...)",
    "_batch_encode_plus": "the tokenizer itself: tokenizer(texts, ...)",
    "encode_plus": "the tokenizer itself: tokenizer(text, ...)",
    "prepare_seq2seq_batch": "tokenizer(texts, text_target=targets)",
    "as_target_tokenizer": "tokenizer(text_target=targets)",
    "additional_special_tokens": "extra_special_tokens",
    "additional_special_tokens_ids": "extra_special_tokens_ids",
    "batch_decode_plus": "tokenizer.decode",
    "key_cache": "cache.layers[i].keys",
    "value_cache": "cache.layers[i].values",
    "seen_tokens": "cache.get_seq_length()",
    "get_usable_length": "cache.get_seq_length()",
    "to_legacy_cache": "the cache itself: models take and return Cache objects only",
    "from_legacy_cache": "DynamicCache(config=model.config)",
    "build_inputs_with_special_tokens": "the tokenizer itself, which adds special tokens",
    "create_token_type_ids_from_sequences": "tokenizer(a, b).token_type_ids",
    "prepare_for_model": "the tokenizer itself: tokenizer(text, ...)",
    "truncate_sequences": "tokenizer(..., truncation=True)",
    "special_tokens_map_extended": "special_tokens_map",
    "all_special_tokens_extended": "all_special_tokens",
    "prune_heads": "nothing: head pruning was removed",
    "get_head_mask": "nothing: head masks were removed",
    "invert_attention_mask": "transformers.masking_utils.create_bidirectional_mask",
    "get_extended_attention_mask": "transformers.masking_utils.create_bidirectional_mask",
    "to_bettertransformer": "nothing: scaled_dot_product_attention is the default",
    "rope_theta": 'config.rope_parameters["rope_theta"]',
}
"""Attributes of tokenizers, caches, models and configurations that transformers 5 removed."""

TRAINING_ARGUMENTS = {
    "evaluation_strategy": "eval_strategy",
    "no_cuda": "use_cpu",
    "use_mps_device": "nothing: the device is found by itself",
    "overwrite_output_dir": "nothing: delete the folder first",
    "logging_dir": "the environment variable TENSORBOARD_LOGGING_DIR",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "fp16_backend": "nothing: autocast is used",
    "half_precision_backend": "nothing: autocast is used",
    "push_to_hub_token": "hub_token",
    "push_to_hub_model_id": "hub_model_id",
    "include_inputs_for_metrics": "include_for_metrics=['inputs']",
    "tokenizer": "processing_class",
    "group_by_length": "train_sampling_strategy='group_by_length'",
    "warmup_ratio": "warmup_steps, which takes a share below 1 as well",
    "max_seq_length": "max_length in SFTConfig",
    "dataset_text_field": "SFTConfig(dataset_text_field=...)",
}
"""Keywords of the trainers that are gone, with what takes their place."""

NUMPY = {
    "trapz": "np.trapezoid",
    "in1d": "np.isin",
    "product": "np.prod",
    "cumproduct": "np.cumprod",
    "sometrue": "np.any",
    "alltrue": "np.all",
    "row_stack": "np.vstack",
    "bool8": "np.bool_",
    "float": "float or np.float64",
    "int": "int or np.int64",
    "bool": "bool or np.bool_",
    "object": "object",
    "complex": "complex",
    "str": "str",
    "msort": "np.sort(a, axis=0)",
    "disp": "print",
    "round_": "np.round",
}
"""Names that NumPy 1.24 to 2.4 removed."""

_FOR = "was written for transformers 4, and version 5 is installed"


def _advice(values: dict[str, str], successor: str) -> dict[str, str]:
    """What to write in place of a name, or why to remove it."""
    name = values.get("name", "")
    if successor.startswith("nothing: "):
        return {"successor": "", "advice": f"remove {name} ({successor.removeprefix('nothing: ')})"}
    if not successor:
        return {"successor": "", "advice": f"look {name} up in the release notes"}
    return {"successor": successor, "advice": f"write {successor} in place of {name}"}


def _transformers(values: dict[str, str]) -> dict[str, str]:
    name = values.get("name", "")
    successor = TRANSFORMERS_5.get(name, "") or TRANSFORMERS_5_ATTRIBUTES.get(name, "")
    if not successor and name.startswith(("TF", "Flax")):
        successor = f"{name.removeprefix('TF').removeprefix('Flax')}, the class for PyTorch"
    if not successor and name.endswith("FeatureExtractor"):
        successor = name.replace("FeatureExtractor", "ImageProcessor")
    return _advice(values, successor)


def _argument(values: dict[str, str]) -> dict[str, str]:
    return _advice(values, TRAINING_ARGUMENTS.get(values.get("name", ""), ""))


def _numpy(values: dict[str, str]) -> dict[str, str]:
    return _advice(values, values.get("use") or NUMPY.get(values.get("name", ""), ""))


_NAMES = "|".join(sorted(TRANSFORMERS_5, key=len, reverse=True))
_ATTRIBUTES = "|".join(sorted(TRANSFORMERS_5_ATTRIBUTES, key=len, reverse=True))
_STAY = (
    do("{advice}", "is what version 5 has"),
    do(
        "upgrade the package or remote code that uses it; until then: pip install "
        '"transformers<5" (with the huggingface-hub<1 that it asks for)',
        "goes back to the last release with the old name",
    ),
)

ROWS = rows(
    "removed names",
    row(
        "transformers-5-removed",
        rf"cannot import name '(?P<name>{_NAMES}|TF[A-Z]\w{{1,80}}|Flax[A-Z]\w{{1,80}}|"
        r"[A-Z]\w{1,60}FeatureExtractor)' from 'transformers",
        rf"\bhas no attribute '?(?P<name>{_ATTRIBUTES})(?![\w])",
        summary="transformers 5 removed {name} (in its place: {successor}).",
        cause=f"The code {_FOR}.",
        cures=_STAY,
        derive=_transformers,
        context=r"transformers|[Tt]okeniz|DynamicCache|StaticCache|Cache'|Config'|For\w+'|Model'",
        explains=("hf-removed-name", "hf-generate-cache"),
        links=("https://github.com/huggingface/transformers/blob/main/MIGRATION_GUIDE_V5.md",),
    ),
    row(
        "remote-code-5",
        r"has no attribute '(?P<name>all_tied_weights_keys)'",
        r"tied_weight_keys?[^\n]{0,120}\.keys\(\)[\s\S]{0,300}?'list' object has no attribute 'keys'",
        r"get_expanded_tied_weights_keys[\s\S]{0,600}?'list' object has no attribute 'keys'",
        r"ROPE_INIT_FUNCTIONS\[[\s\S]{0,300}?KeyError: '(?P<name>default)'",
        summary="The model's own code was written for transformers 4 and does not run with 5.",
        cause="transformers 5 calls post_init() for all_tied_weights_keys, wants _tied_weights_keys as "
        "a mapping in place of a list, and has no `default` rotary function any more.",
        cures=(
            do(
                "a newer revision of the model's repository, or the model's own class in "
                "transformers without trust_remote_code",
                "fits version 5",
            ),
            do('pip install "transformers<5"', "goes back to what the code was written for"),
        ),
        links=("https://github.com/huggingface/transformers/issues/44861",),
    ),
    row(
        "transformers-5-module",
        r"No module named '(?P<name>transformers\.(?:onnx|deepspeed|data\.processors|"
        r"utils\.model_parallel_utils|tf_utils|modeling_tf_\w+|modeling_flax_\w+|keras_callbacks|"
        r"benchmark|commands\.\w+|models\.[\w.]+|generation_\w+|sagemaker|tools|agents)[\w.]*)'",
        summary="transformers 5 no longer has the module {name}.",
        cause=f"The code {_FOR}. ONNX export went to optimum, deepspeed to "
        "transformers.integrations.deepspeed; TensorFlow, Flax and old tasks were removed.",
        cures=(
            do("import from the new place", "is what version 5 has"),
            do('pip install "transformers<5"', "goes back to the last release that has it"),
        ),
        links=("https://github.com/huggingface/transformers/blob/main/MIGRATION_GUIDE_V5.md",),
    ),
    row(
        "transformers-5-task",
        r"The task (?P<name>[\w-]+) has been removed from transformers",
        r"Unknown task (?P<name>summarization|text2text-generation|translation\w*)",
        summary="transformers 5 has no pipeline for {name} any more.",
        cause="Tasks of encoder-decoder models were folded into text generation.",
        cures=(
            do('pipeline("text-generation", model=<a chat model>)', "does the same with a prompt"),
            do("AutoModelForSeq2SeqLM and model.generate", "runs T5, BART or Marian as before"),
        ),
    ),
    row(
        "trainer-argument",
        r"(?:TrainingArguments|Trainer|SFTTrainer|SFTConfig|Seq2SeqTrainer|DPOTrainer)\.__init__\(\) "
        rf"got an unexpected keyword argument '(?P<name>{'|'.join(TRAINING_ARGUMENTS)})'",
        summary="The trainer no longer takes {name} (in its place: {successor}).",
        cause="transformers 4.46 to 5 and trl renamed or removed it.",
        cures=(do("{advice}", "is the present name"),),
        derive=_argument,
    ),
    row(
        "model-keyword-removed",
        r"\b\w+\.__init__\(\) got an unexpected keyword argument '(?P<name>load_in_4bit|load_in_8bit)'",
        summary="from_pretrained no longer takes {name}.",
        cause="transformers 5 takes one quantization_config in place of single switches.",
        cures=(
            do(
                "from_pretrained(..., quantization_config=BitsAndBytesConfig({name}=True))",
                "is the present form",
            ),
        ),
    ),
    row(
        "auth-keyword-removed",
        r"got an unexpected keyword argument '(?P<name>use_auth_token|write_permission)'",
        summary="{name} is gone: the argument is called token now.",
        cause="huggingface_hub 1.0 and transformers 5 removed the old names.",
        cures=(do('token="..." or, better, hf auth login once', "passes the token"),),
    ),
    row(
        "hub-1-removed",
        r"cannot import name '(?P<name>cached_download|HfFolder|Repository|InferenceApi|"
        r"hf_cache_home|ModelSearchArguments|"
        r"DatasetFilter|ModelFilter)' from 'huggingface_hub",
        summary="huggingface_hub 1.0 removed {name}.",
        cause="cached_download became hf_hub_download, HfFolder get_token and login, Repository "
        "upload_folder, InferenceApi InferenceClient. The package that imports it is older.",
        cures=(
            do("upgrade the package that imports it", "newer releases use the new names"),
            do('pip install "huggingface-hub<1" "transformers<5"', "goes back to both"),
        ),
        explains=("hf-removed-name",),
    ),
    row(
        "hub-version",
        r"huggingface[-_]hub(?P<want>[<>=!][^ \n]{1,40}) is required for a normal functioning of "
        r"this module, but found huggingface[-_]hub==(?P<have>[\w.]+)",
        summary="This transformers needs huggingface-hub {want}, and {have} is installed.",
        cause="transformers 4 needs huggingface-hub below 1.0, transformers 5 needs 1.x or newer; "
        "another package moved one of the two.",
        cures=(
            pip('install "huggingface-hub{want}"', "takes a release that fits this transformers"),
            do("upgrade transformers to 5 (pip install --upgrade transformers)", "fits 1.x"),
        ),
    ),
    row(
        "numpy-removed",
        r"`np\.(?P<name>\w+)` was removed in the NumPy 2\.0 release\. Use `(?P<use>[^`]+)`",
        r"`np\.(?P<name>\w+)` was removed in the NumPy 2\.0 release",
        rf"module 'numpy' has no attribute '(?P<name>{'|'.join(NUMPY)})'",
        summary="NumPy no longer has np.{name} (in its place: {successor}).",
        cause="NumPy 1.24, 2.0 and 2.4 removed old aliases; the code was written for an older one.",
        cures=(
            do("{advice}", "works in every version"),
            do("upgrade the package that uses it", "when it is not your own code"),
        ),
        derive=_numpy,
    ),
    row(
        "numpy-copy",
        r"Unable to avoid copy while creating an array as requested",
        summary="np.array(..., copy=False) may not copy any more, and had to.",
        cause="Since NumPy 2 copy=False means never; before, it meant only if needed.",
        cures=(do("np.asarray(x)", "copies only where it is needed"),),
    ),
    row(
        "numpy-ragged",
        r"setting an array element with a sequence\. The requested array has an inhomogeneous shape",
        summary="The rows have different lengths, and NumPy makes no array of that.",
        cause="Since NumPy 1.24 it is an error; torch.stack and torch.nested need equal sizes too.",
        cures=(
            do("pad the rows, or keep a list", "makes a rectangle"),
            do("np.array(rows, dtype=object)", "where an array of lists is meant"),
        ),
    ),
    row(
        "uint8-overflow",
        r"Python integer (?P<value>-?\d+) out of bounds for (?P<type>u?int\d+)",
        summary="{value} does not fit into {type}.",
        cause="Since NumPy 2 an out-of-range number is an error; before, it wrapped around.",
        cures=(do("np.array(x).astype(np.{type}), or a wider type", "wraps, or keeps the value"),),
    ),
    row(
        "pillow-removed",
        r"module 'PIL\.Image' has no attribute '(?P<name>ANTIALIAS|LINEAR|CUBIC)'",
        r"'(?:ImageDraw|FreeTypeFont|ImageFont)' object has no attribute '(?P<name>textsize|getsize)'",
        summary="Pillow removed {name}.",
        cause="ANTIALIAS is Image.Resampling.LANCZOS, LINEAR BILINEAR, CUBIC BICUBIC; textsize is "
        "textbbox, getsize getbbox (Pillow 10).",
        cures=(do("write the new name; upgrade the package that uses the old one", "works again"),),
    ),
    row(
        "torch-removed-function",
        r"This function was deprecated since version (?P<since>[\d.]+) and is now removed",
        summary="This torch function was removed; the message names what replaces it.",
        cause="torch.symeig, eig, qr, lstsq, solve and others moved to torch.linalg.",
        cures=(do("the torch.linalg form from the message", "computes the same"),),
    ),
    row(
        "torch-six",
        r"No module named 'torch\._(?P<name>six)'",
        summary="torch._{name} was removed in torch 2.0.",
        cause="It was a private helper for Python 2; the package that imports it is older.",
        cures=(
            do("import math; math.inf, and str in place of string_classes", "replaces it"),
            do("upgrade the package that imports it (apex, deepspeed, timm)", "newer do without"),
        ),
    ),
    row(
        "scheduler-verbose",
        r"\b\w+\.__init__\(\) got an unexpected keyword argument 'verbose'",
        summary="Learning rate schedulers no longer take verbose.",
        cause="torch 2.7 and later removed it.",
        cures=(do("print(scheduler.get_last_lr())", "shows the rate"),),
        context=r"lr_scheduler|LR\.__init__|ReduceLROnPlateau|Scheduler|StepLR",
    ),
    row(
        "export-training-removed",
        r"module 'torch\.export' has no attribute '(?P<name>export_for_training|"
        r"export_for_inference|capture_pre_autograd_graph)'",
        r"cannot import name '(?P<name>export_for_training|capture_pre_autograd_graph)' from 'torch",
        summary="torch.export.{name} was removed.",
        cause="torch.export.export itself gives the training form now.",
        cures=(do("torch.export.export(model, args)", "is the same graph"),),
    ),
    row(
        "onnx-export-removed",
        r"module 'torch\.onnx' has no attribute '(?P<name>dynamo_export|ExportOptions|"
        r"enable_fake_mode|select_model_mode_for_export|OnnxRegistry)'",
        r"\bexport\(\) got an unexpected keyword argument '(?P<name>use_external_data_format|"
        r"example_outputs|enable_onnx_checker|strip_doc_string|_retain_param_name)'",
        summary="torch.onnx no longer has {name}.",
        cause="torch 2.9 and later have one entry: torch.onnx.export(..., dynamo=True).",
        cures=(
            do("torch.onnx.export(model, args, path, dynamo=True)", "is the present form"),
            do("external_data=True in place of use_external_data_format", "stores weights apart"),
        ),
    ),
    row(
        "torchvision-video-removed",
        r"module 'torchvision\.io' has no attribute '(?P<name>read_video|write_video|VideoReader|"
        r"read_video_timestamps)'",
        r"cannot import name '(?P<name>read_video|write_video|VideoReader|read_video_timestamps)' "
        r"from 'torchvision\.io",
        summary="torchvision no longer reads or writes video ({name}).",
        cause="Video went to torchcodec; torchvision 0.26 and later removed it.",
        cures=(
            pip("install torchcodec {torch}", "brings the decoder; torch stays as it is"),
            do("torchcodec.decoders.VideoDecoder(path)[:]", "gives the frames"),
        ),
        explains=("hf-removed-name",),
    ),
    row(
        "torchvision-old-module",
        r"No module named 'torchvision\.(?P<name>models\.utils|transforms\.functional_tensor|"
        r"prototype)[\w.]*'",
        r"cannot import name '(?P<name>model_urls|functional_tensor|load_state_dict_from_url)' from "
        r"'torchvision",
        summary="torchvision no longer has {name}.",
        cause="functional_tensor became transforms.functional, model_urls the weights' enums, "
        "models.utils torch.hub. Older packages (basicsr, realesrgan, gfpgan) import them.",
        cures=(
            do("from torchvision.transforms.functional import rgb_to_grayscale", "the new place"),
            do("from torch.hub import load_state_dict_from_url", "the new place"),
            do("ResNet50_Weights.DEFAULT.url in place of model_urls", "gives the address"),
        ),
        explains=("hf-removed-name",),
    ),
    row(
        "onnx-helper-removed",
        r"cannot import name '(?P<name>float32_to_bfloat16|float32_to_float8e\w+|"
        r"bfloat16_to_float32|float8e\w+_to_float32|pack_float32_to_4bit|TENSOR_TYPE_TO_\w+|"
        r"printable_graph)' from 'onnx",
        r"module 'onnx\.(?:helper|numpy_helper)' has no attribute '(?P<name>\w+)'",
        r"No module named 'onnx\.(?P<name>hub|tools\.net_drawer|backend\.test\.\w+)'",
        summary="onnx no longer has {name}.",
        cause="onnx 1.19 to 1.21 removed conversion helpers and onnx.hub; ml_dtypes and "
        "onnx.numpy_helper.to_array do the conversions.",
        cures=(
            do("array.astype(ml_dtypes.bfloat16); onnx.numpy_helper.from_array", "converts"),
            do("upgrade the package that imports it (onnx-graphsurgeon, onnxconverter)", "fits"),
            pip('install "onnx<1.19"', "goes back, where neither is possible"),
        ),
    ),
    row(
        "tensor-parallel-removed",
        r"cannot import name '(?P<name>PairwiseParallel|SequenceParallelStyle|make_input_\w+)' from "
        r"'torch\.distributed",
        summary="torch.distributed no longer has {name}.",
        cause="Tensor parallelism is written as a plan of ColwiseParallel and RowwiseParallel now.",
        cures=(
            do(
                'parallelize_module(m, mesh, {{"w1": ColwiseParallel(), "w2": RowwiseParallel()}})',
                "is the present form",
            ),
        ),
        explains=("hf-removed-name",),
    ),
    row(
        "peft-removed",
        r"cannot import name '(?P<name>prepare_model_for_int8_training)' from "
        r"'peft",
        summary="peft no longer has {name}.",
        cause="It was renamed.",
        cures=(do("from peft import prepare_model_for_kbit_training", "is the present name"),),
    ),
    row(
        "triton-key",
        r"cannot import name '(?P<name>triton_key|AttrsDescriptor|ast_to_ttir|default_cache_dir)' "
        r"from 'triton",
        summary="Triton does not fit this torch ({name}).",
        cause="Each torch is built for one Triton series (2.8: 3.4, 2.9: 3.5, 2.15: 3.9); another "
        "one was installed beside it.",
        cures=(
            run("{python} -m diagnostics", "names the Triton that this torch asks for"),
            pip(
                "install --force-reinstall {torch}",
                "installs the same torch again with its own Triton",
            ),
        ),
        explains=("inductor",),
        links=("https://github.com/pytorch/pytorch/issues/123042",),
    ),
)
