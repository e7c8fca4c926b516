"""Messages of fine-tuning: pretrained models, adapters, vocabularies."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows, run
from diagnostics.finding import Level

ROWS = rows(
    "fine-tuning",
    row(
        "peft-targets",
        r"Target modules (?P<names>[\[{'][^\n]{1,200}?) not found in the base model",
        summary="The adapter's target modules {names} do not exist in this model.",
        cause="Names differ between architectures: q_proj and v_proj in Llama, query and value "
        "in BERT, "
        "c_attn in GPT-2, query_key_value in others.",
        cures=(
            do("print([n for n, m in model.named_modules() if isinstance(m, nn.Linear)])", "lists"),
            do('LoraConfig(target_modules="all-linear")', "takes every linear layer"),
        ),
    ),
    row(
        "peft-no-targets",
        r"Please specify `target_(?:modules|parameters)`(?: or `target_parameters`)? in "
        r"`?peft_config",
        summary="The adapter does not know which layers to change.",
        cause="peft has no default for this architecture.",
        cures=(do('LoraConfig(target_modules="all-linear")', "takes every linear layer"),),
    ),
    row(
        "quantized-finetune",
        r"You cannot perform fine-tuning on purely quantized models",
        summary="A quantized model cannot be trained by itself.",
        cause="Its weights are integers; only adapters on top of it can learn.",
        cures=(
            do("get_peft_model(prepare_model_for_kbit_training(model), LoraConfig(...))", "adds"),
        ),
    ),
    row(
        "fresh-head",
        r"Some weights of (?P<model>\w+) were not initialized from the model checkpoint",
        r"You should probably TRAIN this model on a down-stream task",
        summary="Part of the model starts from random values, usually its new head ({model}).",
        cause="Expected before fine-tuning; wrong if you meant to predict at once.",
        cures=(do("train it, or load a checkpoint made for this task", "gives it weights"),),
        level=Level.INFO,
    ),
    row(
        "hf-size-mismatch",
        r"You (?:can|may consider adding) (?:use |adding )?`?ignore_mismatched_sizes=True`?",
        summary="The checkpoint's head has another size than num_labels asks for.",
        cause="It was trained for another number of classes.",
        cures=(
            do(
                "from_pretrained(..., num_labels=N, ignore_mismatched_sizes=True)",
                "renews the head",
            ),
        ),
    ),
    row(
        "no-pad-token",
        r"Asking to pad but the tokenizer does not have a padding token",
        r"Cannot handle batch sizes > 1 if no padding token is defined",
        summary="The tokenizer has no padding token.",
        cause="GPT-like models were trained without padding.",
        cures=(
            do("tokenizer.pad_token = tokenizer.eos_token", "uses the end token"),
            do("model.config.pad_token_id = tokenizer.pad_token_id", "tells the model"),
        ),
    ),
    row(
        "ragged-batch",
        r"Unable to create tensor, you should probably activate truncation and/or padding",
        summary="Texts of different length make no batch.",
        cause="They were tokenised without padding.",
        cures=(do("tokenizer(texts, padding=True, truncation=True, return_tensors='pt')", "pads"),),
        explains=("ragged",),
    ),
    row(
        "sequence-too-long",
        r"Token indices sequence length is longer than the specified maximum sequence length "
        r"for this "
        r"model \((?P<got>\d+) > (?P<max>\d+)\)",
        summary="A text has {got} tokens, the model takes {max}.",
        cause="Beyond its positions the model fails with an index error.",
        cures=(do("tokenizer(..., truncation=True, max_length={max})", "cuts it"),),
        level=Level.WARN,
    ),
    row(
        "tokenizer-input",
        r"text input must be of type `str` \(single example\)",
        r"TextEncodeInput must be Union\[",
        summary="The tokenizer got something other than text.",
        cause="None, NaN or numbers in the text column.",
        cures=(do("dataset.filter(lambda row: isinstance(row['text'], str))", "drops them"),),
    ),
    row(
        "unknown-model-name",
        r"(?:ValueError|RuntimeError): Unknown model \(?(?P<name>[\w.-]+)\)?",
        summary="There is no model called {name} in this version.",
        cause="It is misspelt, or newer than the installed library.",
        cures=(
            run("{python} -c 'import timm; print(timm.list_models())'", "lists timm's names"),
            run(
                "{python} -c 'import torchvision as t; print(t.models.list_models())'",
                "lists torchvision's names",
            ),
        ),
    ),
    row(
        "bitsandbytes-setup",
        r"CUDA Setup failed despite GPU being available",
        r"bitsandbytes was compiled without GPU support",
        r"Using `bitsandbytes` \S+ quantization requires",
        summary="bitsandbytes does not work with this CUDA or is missing.",
        cause="It looks for its own CUDA library, which must fit torch's CUDA version.",
        cures=(
            run("{python} -m bitsandbytes", "says what it looked for"),
            pip("install --upgrade bitsandbytes", "brings libraries for newer CUDA versions"),
        ),
    ),
    row(
        "adapter-config-missing",
        r"Can't find '(?P<file>adapter_config\.json)' at '(?P<path>[^']+)'",
        summary="{path} holds no adapter.",
        cause="It is a full model, or the adapter was saved elsewhere.",
        cures=(do("AutoModel.from_pretrained for a full model", "loads it as what it is"),),
    ),
)
