"""Worker side. A model's weights from a seed, the library's own loading code, or files on disk."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_origin

from suite import hub
from suite.spec import ModelSpec
from suite.worker.errors import Unavailable

DICT_TYPES = ("dict", "Dict", "Mapping", "MutableMapping", "OrderedDict")
PICKLES = ("pytorch_model.bin", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


class WeightsError(ValueError):
    """The user's weights are invalid; shown without a traceback."""


class ForwardError(ValueError):
    """The model's `forward` does not accept a task's inputs: tensors by name, or lists of them."""


def module_for(spec: ModelSpec, size: str, *, weights: str = "random", seed: int = 0) -> Any:
    """Return the model in eval mode, float32, on the CPU.

    `weights` is `random` (seeded), `pretrained` (base only) or a folder: one with `<model>.safetensors`, one with a
    `save_pretrained` folder of the model's name, or such a folder itself. Raise Unavailable if the hub cannot be
    reached and WeightsError if files do not fit; nothing is ever unpickled.
    """
    import torch

    torch.manual_seed(seed)
    if weights == "pretrained":
        module = _pretrained(spec, size)
    else:
        module = spec.build(**spec.sizes[size].build)
        if weights != "random":
            module = _from_folder(module, spec, Path(weights))
    refuse_dict_inputs(spec, module)
    return module.eval()


def refuse_dict_inputs(spec: ModelSpec, module: Any) -> None:
    """Raise ForwardError if `forward` requires a dictionary.

    That is a required argument annotated as one, or whose entries it reads by name.
    """
    forward = inspect.unwrap(getattr(module, "forward", module))
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):  # written in C
        return
    required = [
        p
        for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    by_name = _entries_taken(forward, {p.name for p in required})
    for parameter in required:
        keys = by_name.get(parameter.name, [])
        if _is_dict(parameter.annotation) or keys:
            shown = ", ".join(keys) or "pixels"
            inner = ", ".join(f'"{key}": {key}' for key in keys or ["pixels"])
            raise ForwardError(
                f"model {spec.name!r}: forward takes a dict (`{parameter.name}`), and tasks give tensors by name:"
                f" wrap it in a module whose `forward(self, {shown})` calls `self.model({{{inner}}})`"
            )


def _is_dict(annotation: Any) -> bool:
    """Return whether an annotation, possibly a string, denotes a dictionary."""
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2] in DICT_TYPES
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, Mapping)


def _entries_taken(forward: Any, names: set[str]) -> dict[str, list[str]]:
    """Return argument -> entries that the source of `forward` reads by a string: `batch["x"]`, `batch.get("x")`.

    An argument that is also assigned to may have changed by then and is left out.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(forward)))
    except (OSError, TypeError, SyntaxError):
        return {}
    taken: dict[str, list[str]] = {}
    assigned = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            assigned.add(node.id)
        place, key = None, None
        if isinstance(node, ast.Subscript):
            place, key = node.value, node.slice
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get" and node.args:
            place, key = getattr(node.func, "value", None), node.args[0]
        name = place.id if isinstance(place, ast.Name) else ""
        entry = key.value if isinstance(key, ast.Constant) else None
        if name in names and isinstance(entry, str) and entry not in taken.get(name, ()):
            taken.setdefault(name, []).append(entry)
    return {name: keys for name, keys in taken.items() if name not in assigned}


def _pretrained(spec: ModelSpec, size: str) -> Any:
    """Return the model with published weights, through the library's own code."""
    if spec.pretrained is None:
        raise Unavailable(
            f"{spec.name} has no published weights in its library; use --weights random or --weights DIR"
        )
    if size != "base":
        raise Unavailable(f"{spec.name}: published weights exist for --size base only, not {size}")
    try:
        with hub.asked_once():
            return spec.pretrained()
    except OSError as error:  # URLError, ConnectionError and the hub's own errors derive from it
        raise Unavailable(
            f"{spec.name}: the published weights could not be loaded ({_first_line(error)}). They are neither"
            " in the cache nor could they be fetched. Next: run once on a machine with a connection and copy"
            " its cache (HF_HOME for timm and transformers, TORCH_HOME for torchvision), unset HF_HUB_OFFLINE where it"
            " is set, or give files with --weights DIR"
        ) from error


def _from_folder(module: Any, spec: ModelSpec, folder: Path) -> Any:
    """Return `module` with the weights in `folder`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = weights_in(folder, spec.name)
    if path.is_dir():
        return _from_save_pretrained(module, spec, path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: no readable safetensors file ({error}); save it again"
        ) from error
    # Tied tensors are stored once in safetensors; strict=False lets their duplicates be absent.
    missing, unexpected = _load(module, tensors, spec, path)
    tied = {name for names in _shared_names(module) for name in names if names & set(tensors)}
    missing = [name for name in missing if name not in tied]
    if missing or unexpected:
        raise WeightsError(
            f"{path}: not the weights of {spec.name}: missing {missing[:5]}, unexpected {unexpected[:5]}"
            f" ({len(missing)} and {len(unexpected)} in all)"
        )
    return module


def _load(
    module: Any, tensors: dict[str, Any], spec: ModelSpec, path: Path
) -> tuple[list[str], list[str]]:
    """Load the tensors that fit; return the missing and the unexpected names."""
    try:
        keys = module.load_state_dict(tensors, strict=False)
    except RuntimeError as error:  # size mismatch
        raise WeightsError(
            f"{path}: shapes differ from {spec.name} as built ({error}); is --size the right one?"
        ) from error
    return list(keys.missing_keys), list(keys.unexpected_keys)


def _shared_names(module: Any) -> list[set[str]]:
    """Return groups of state-dict names that share one tensor."""
    by_tensor: dict[int, set[str]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        by_tensor.setdefault(id(tensor), set()).add(name)
    return [names for names in by_tensor.values() if len(names) > 1]


def _from_save_pretrained(module: Any, spec: ModelSpec, folder: Path) -> Any:
    """Return the model of a `save_pretrained` folder, in the class that the record builds."""
    if not hasattr(type(module), "from_pretrained"):
        raise WeightsError(
            f"{folder}: a save_pretrained folder, but {spec.name} is no transformers model;"
            f" give {spec.name}.safetensors instead"
        )
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if kind != module.config.model_type:
        raise WeightsError(
            f"{folder}/config.json: model_type is {kind!r}; {spec.name} needs {module.config.model_type!r}"
        )
    try:
        return type(module).from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype="float32",
            # As in the record: with a cache the result would have more tensors than the record
            # names.
            use_cache=getattr(module.config, "use_cache", False),
            attn_implementation=module.config._attn_implementation,
        )
    except OSError as error:
        raise WeightsError(
            f"{folder}: no model.safetensors that transformers can load ({_first_line(error)}); pickled"
            " weights are refused: save again with save_pretrained(folder)"
        ) from error


def weights_in(folder: Path, name: str) -> Path:
    """Return the file or save_pretrained folder of that model; raise WeightsError naming what was expected."""
    for path in (folder / f"{name}.safetensors", folder / name, folder):
        if path.is_file() or (path / "config.json").is_file():
            return path
    pickles = (
        [p.name for pattern in PICKLES for p in folder.glob(pattern)] if folder.is_dir() else []
    )
    refused = (
        f" ({pickles[0]} is a pickle and is never opened: convert it to safetensors)"
        if pickles
        else ""
    )
    raise WeightsError(
        f"--weights {folder}: nothing for {name}{refused}; expected {name}.safetensors,"
        f" {name}/config.json (a save_pretrained folder), or config.json in the folder itself"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
