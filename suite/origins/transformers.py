"""Worker side. Models of transformers: a type with its default configuration, a saved folder, or an id of the Hub."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from diagnostics.did_you_mean import did_you_mean
from diagnostics.facts.system import describe as describe_system
from suite import hub
from suite.axes import BASE, GENERATES, OPEN, TINY
from suite.catalog import CatalogError
from suite.origins.example_tensors import Sizes, tensors_for
from suite.origins.probe import AS_BUILT, described
from suite.origins.reference import Reference
from suite.origins.small_configurations import smaller
from suite.presets import ATTENTION_TRAINING
from suite.spec import ModelSpec
from suite.tasks.ready_inputs import forward_arguments
from suite.worker.errors import Unavailable

HEADS: Final = {
    "ZERO_SHOT_IMAGE_CLASSIFICATION": OPEN,
    "SPEECH_SEQ_2_SEQ": OPEN,
    "SEQ_TO_SEQ_CAUSAL_LM": OPEN,
    "MASKED_LM": "masked_language_modeling",
    "CAUSAL_LM": "language_modeling",
    "IMAGE_CLASSIFICATION": "image_classification",
    "CTC": OPEN,
    "AUDIO_CLASSIFICATION": OPEN,
    "SEMANTIC_SEGMENTATION": OPEN,
    "DEPTH_ESTIMATION": OPEN,
    "OBJECT_DETECTION": OPEN,
    "VIDEO_CLASSIFICATION": OPEN,
    "TIME_SERIES_PREDICTION": OPEN,
}
"""The library's mapping from types to classes with that head -> task on our data, in order of preference: the first
that knows the type is used. A task that is open is measured on random inputs of the right kind."""

TASK_INPUT: Final = {
    "masked_language_modeling": "input_ids",
    "language_modeling": "input_ids",
    "image_classification": "pixel_values",
}
"""Task -> the only input that a class of this task must need."""

MASKED: Final = ("masked_language_modeling",)
"""Tasks that also give a mask of the padding."""
LENGTHS: Final = {TINY: 16, BASE: 128}
"""Tokens of a sample."""
SEQUENCE: Final = dict.fromkeys(("input_ids", "attention_mask"), (1, "sequence")) | {
    "decoder_input_ids": (1, "target")
}
"""Input -> axis of its tokens, and that axis's name."""
SHARE_OF_MEMORY: Final = 0.8
"""Share of the available memory that random weights may take."""
SMALLEST_VOCABULARY: Final = 300
"""Below that our tokenizer has no words, so that text of ours does not fit."""


def names() -> list[str]:
    """Return all model types that have a class with one of the heads, or one without a head, sorted."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    with_class = {kind for head in (*HEADS, "") for kind in _mapping(head)}
    return sorted(with_class & set(CONFIG_MAPPING_NAMES))


def describe(target: str) -> ModelSpec:
    """Return the record of a type, a folder or an id: built at its smallest size, and run there.

    Raise CatalogError for an unknown type, a configuration that is not here, and a model whose inputs are not known.
    """
    is_named = Path(target).is_absolute() or "/" in target
    config = configuration(target)
    architecture, task = _class_of(config, target)
    small = None if is_named else smaller(config)
    where = f"hf:{Path(target).name if Path(target).is_absolute() else target}"
    reasons = []
    for size, settings in ((TINY, small), (BASE, {})):
        if settings is None:
            continue
        build = partial(build_model, target, architecture, settings)
        try:
            module = build().eval()
            values = tensors_for(module, Sizes(length=LENGTHS[size], samples=2))
            found = described(
                Reference(kind="hf", target=target).model,
                lambda module=module: module,
                lambda values=values: values,
                where=where,
                more_axes={n: SEQUENCE[n] for n in values if n in SEQUENCE},
            )
        except Exception as error:  # whatever the library raises for settings that it does not like
            lines = str(error).strip().splitlines() or [type(error).__name__]
            reasons.append(f"{size}: {lines[0]}")
            continue
        return completed(
            target, _record(found, target, architecture, task, module, values, small, size)
        )
    raise CatalogError(
        f"{architecture} does not run on random inputs ({'; '.join(reasons)}). Next: a function that returns it with"
        " its inputs: --models my_file.py:build"
    )


def _record(
    found: ModelSpec,
    target: str,
    architecture: str,
    task: str,
    module: Any,
    values: dict[str, Any],
    small: dict[str, Any] | None,
    size: str,
) -> ModelSpec:
    """Return the record of a model that was run at `size`."""
    vocabulary = int(getattr(module.config, "vocab_size", 0) or 0)
    is_closed = TASK_INPUT.get(task) in values and len(values) == 1
    if is_closed and "input_ids" in values and vocabulary < SMALLEST_VOCABULARY:
        is_closed = False
    if task in MASKED:
        is_closed = is_closed and "attention_mask" in forward_arguments(module)
    sizes = {}
    for name, settings in ((TINY, small), (BASE, {})):
        if settings is None or (name == TINY and size != TINY):
            continue
        build = {"settings": settings}
        sizes[name] = replace(
            AS_BUILT,
            training=ATTENTION_TRAINING,
            build=build,
            inputs=_closed_inputs(target, settings, name, values)
            if is_closed
            else {"length": LENGTHS[name], **build},
        )
    dynamic = dict(found.export.dynamic)
    if is_closed and task in MASKED and dynamic:
        dynamic["attention_mask"] = dynamic["input_ids"]
    return replace(
        found,
        export=replace(found.export, dynamic=dynamic),
        family="transformers",
        task=task if is_closed else OPEN,
        inputs=None if is_closed else dict,
        arguments={"x": "pixel_values"} if is_closed and "pixel_values" in values else {},
        sizes=sizes,
        requires=(type(module).__module__,),
        judged_as_built=True,
        tags=(architecture, *((GENERATES,) if is_generator(architecture) else ())),
        source=f"https://huggingface.co/docs/transformers/model_doc/{module.config.model_type}",
    )


def is_generator(architecture: str) -> bool:
    """Return whether the class writes text token by token: behind an encoder of text, or alone."""
    named = architecture.rpartition(":")[2]
    return any(named in _mapping(head).values() for head in ("SEQ_TO_SEQ_CAUSAL_LM", "CAUSAL_LM"))


def _closed_inputs(
    target: str, settings: dict[str, Any], size: str, values: dict[str, Any]
) -> dict[str, Any]:
    """Return what the task needs to know of a size."""
    config = configuration(target, settings)
    if "pixel_values" in values:
        side, channels = values["pixel_values"].shape[-1], values["pixel_values"].shape[1]
        return {"side": side, "channels": channels, "classes": config.num_labels}
    longest = int(getattr(config, "max_position_embeddings", 0) or 0)
    length = min(LENGTHS[size], longest - 2) if longest else LENGTHS[size]
    return {"vocabulary": config.vocab_size, "length": length, "longest": longest}


def completed(target: str, record: ModelSpec) -> ModelSpec:
    """Return the record with its functions."""
    architecture = record.tags[0]
    build = partial(build_model, target, architecture)
    is_id = "/" in target and not Path(target).is_absolute()
    return replace(
        record,
        build=build,
        pretrained=partial(load_pretrained, target, architecture) if is_id else None,
        inputs=partial(random_inputs, target, architecture) if record.inputs is not None else None,
    )


def configuration(target: str, settings: dict[str, Any] | None = None) -> Any:
    """Return the configuration of a type, a folder or an id, with `settings` over it, without a cache of keys.

    Raise CatalogError if there is none, or it would have to be downloaded.
    """
    from huggingface_hub import constants
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

    if Path(target).is_absolute() or "/" in target:
        try:
            with hub.asked_once():
                config = AutoConfig.from_pretrained(target, trust_remote_code=False)
        except (OSError, ValueError) as error:
            if Path(target).is_absolute():
                line = str(error).strip().splitlines()[0]
                raise CatalogError(
                    f"{Path(target).name}/config.json cannot be used: {line}"
                ) from error
            why = (
                "and nothing is downloaded unless asked"
                if constants.HF_HUB_OFFLINE
                else f"and the Hub does not give it ({str(error).strip().splitlines()[0]})"
            )
            raise CatalogError(
                f"the configuration of {target} is not in the library's cache, {why};"
                " next: --weights pretrained --size base on a machine with a connection, or copy its cache (HF_HOME)"
            ) from error
    else:
        if target not in CONFIG_MAPPING_NAMES:
            raise CatalogError(
                f"transformers has no model type {target!r}{did_you_mean(target, names(), is_listed=False)}"
            )
        given = {**_num_classes(target), **(settings or {})}
        config = CONFIG_MAPPING[target](**_with_parts(CONFIG_MAPPING[target], given))
    for part in (config, getattr(config, "text_config", None)):
        if part is not None and hasattr(part, "use_cache"):
            part.use_cache = False
    return config


def _num_classes(target: str) -> dict[str, Any]:
    """Return the number of classes that published image classifiers have; the library's default is two."""
    return {"num_labels": 1000} if _head_of(target) == "IMAGE_CLASSIFICATION" else {}


def _with_parts(kind: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with those of parts as the parts' own configurations."""
    parts = getattr(kind, "sub_configs", None) or {}
    return {
        name: parts[name](**_with_parts(parts[name], value))
        if name in parts and isinstance(value, dict) and hasattr(parts[name], "sub_configs")
        else value
        for name, value in settings.items()
    }


def build_model(target: str, architecture: str, settings: dict[str, Any] | None = None) -> Any:
    """Return the module: of a folder with its weights, else with random ones. Raise Unavailable if memory is short."""
    if Path(target).is_absolute():
        config = configuration(target)
        return _class(architecture).from_pretrained(
            target, config=config, local_files_only=True, use_safetensors=True, dtype="float32"
        )
    config = configuration(target, settings)
    config.dtype = None
    _must_fit(architecture, config, target)
    return _class(architecture)(config)


def load_pretrained(target: str, architecture: str) -> Any:
    """Return the published weights of an id of the Hub, through the library's own loading code and cache."""
    return _class(architecture).from_pretrained(target, use_safetensors=True, dtype="float32")


def random_inputs(
    target: str, architecture: str, *, length: int, settings: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return random inputs of a size; the module is only described, its weights take no memory."""
    import torch

    config = configuration(target, settings)
    with torch.device("meta"):
        module = _class(architecture)(config)
    return tensors_for(module, Sizes(length=length))


def _must_fit(architecture: str, config: Any, target: str) -> None:
    """Raise Unavailable if the weights would not fit into memory: the default of a type may be a model of billions."""
    import torch

    guess = getattr(config, "hidden_size", 0) or 0
    if guess < 2048:  # a shortcut: such a model fits, and counting takes as long as building it
        return
    with torch.device("meta"):
        module = _class(architecture)(config)
    needed = 4 * sum(p.numel() for p in module.parameters())
    free = describe_system().memory_available
    if not free:
        return
    if needed > SHARE_OF_MEMORY * free:
        raise Unavailable(
            f"hf:{target} at its default configuration has {needed / 4e9:.1f} billion parameters, {needed / 1e9:.0f} GB"
            f" in float32, and {free / 1e9:.0f} GB are free; next: --size tiny"
        )


def _class(architecture: str) -> Any:
    module, _, name = architecture.partition(":")
    return getattr(import_module(module), name)


def _mapping(head: str) -> Any:
    from transformers.models.auto import modeling_auto

    name = f"MODEL_FOR_{head}_MAPPING_NAMES" if head else "MODEL_MAPPING_NAMES"
    return getattr(modeling_auto, name, {})


def _head_of(kind: str) -> str:
    """Return the preferred head of a type; empty for the class without one."""
    return next((head for head in HEADS if kind in _mapping(head)), "")


def _class_of(config: Any, target: str) -> tuple[str, str]:
    """Return the class as `module:name`, and its task; raise CatalogError if the type has no class here."""
    import transformers

    kind = config.model_type
    named = (config.architectures or [None])[0]
    head = _head_of(kind)
    found = named or _mapping(head).get(kind)
    if isinstance(found, (tuple, list)):
        found = found[0]
    model_class = getattr(transformers, found, None) if found else None
    if model_class is None:
        raise CatalogError(
            f"{target}: transformers has no class for the type {kind!r} that is known here"
        )
    task = next((HEADS[h] for h in HEADS if found == _mapping(h).get(kind)), OPEN)
    return f"{model_class.__module__}:{model_class.__name__}", task
