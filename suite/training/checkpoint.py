"""Worker side. Checkpoints: everything needed to resume a training exactly, in safetensors and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from suite.axes import is_accelerator
from suite.training.loop import TrainingHistory
from suite.training.train_state import TrainState

TENSORS: Final = "checkpoint.safetensors"
DOCUMENT: Final = "checkpoint.json"
SCHEMA: Final = 1


class CheckpointError(ValueError):
    """A checkpoint is damaged or belongs to another model; the message names the file and the next step."""


def save(train_state: TrainState, history: TrainingHistory, folder: Path) -> None:
    """Write the train state and its history. The JSON is written last, atomically, so it marks a whole checkpoint."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, torch.Tensor] = {}
    for name, value in train_state.module.state_dict().items():
        tensors[f"module/{name}"] = value.detach().cpu().clone()
    groups = []
    for number, optimizer in enumerate(train_state.optimizers):
        state = optimizer.state_dict()
        groups.append({"groups": state["param_groups"], "numbers": _scalars(state["state"])})
        for index, entries in state["state"].items():
            for key, value in entries.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"optimizer/{number}/{index}/{key}"] = value.detach().cpu().clone()
    tensors["random/cpu"] = torch.get_rng_state()
    if is_accelerator(train_state.device):
        tensors["random/cuda"] = torch.cuda.get_rng_state(train_state.device)
    document = {
        "schema": SCHEMA,
        "step": train_state.step,
        "micro_batch": train_state.micro_batch,
        "scaler": train_state.scaler.state_dict(),
        "optimizers": groups,
        "history": {name: getattr(history, name) for name in TrainingHistory.__slots__},
    }
    unfinished = folder / f".{TENSORS}"
    save_file(tensors, unfinished)
    (folder / DOCUMENT).unlink(missing_ok=True)
    unfinished.replace(folder / TENSORS)
    half = folder / f".{DOCUMENT}"
    half.write_text(json.dumps(document), encoding="utf-8")
    half.replace(folder / DOCUMENT)


def exists(folder: Path) -> bool:
    """Return True if `folder` holds a complete checkpoint."""
    return (folder / DOCUMENT).is_file() and (folder / TENSORS).is_file()


def load(train_state: TrainState, folder: Path) -> TrainingHistory:
    """Restore the train state as `save` found it, random number generators included, and return the history so far.

    Raises CheckpointError when a file is damaged or belongs to another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        tensors = load_file(folder / TENSORS)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder}: no readable checkpoint ({type(error).__name__}: {error}); expected {TENSORS} and"
            f" {DOCUMENT} as this version writes them. Next: delete the folder; training then starts anew"
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, dict) else type(document).__name__
        raise CheckpointError(
            f"{folder / DOCUMENT}: schema {found!r}, expected {SCHEMA};"
            " next: delete the folder; training then starts anew"
        )
    try:
        train_state.module.load_state_dict(_under(tensors, "module/"))
        for number, optimizer in enumerate(train_state.optimizers):
            optimizer.load_state_dict(_state(document["optimizers"][number], tensors, number))
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{folder}: a checkpoint of another model or optimizer ({error});"
            " next: delete the folder; training then starts anew"
        ) from error
    train_state.step, train_state.micro_batch = document["step"], document["micro_batch"]
    train_state.scaler.load_state_dict(document["scaler"])
    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors and is_accelerator(train_state.device):
        torch.cuda.set_rng_state(tensors["random/cuda"], train_state.device)
    history = document["history"]
    history["validation"] = [(int(step), float(loss)) for step, loss in history["validation"]]
    return TrainingHistory(**history)


def _scalars(state: Mapping[int, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the entries of an optimizer's state that are not tensors."""
    return {
        str(index): {k: v for k, v in entries.items() if not isinstance(v, torch.Tensor)}
        for index, entries in state.items()
    }


def _state(held: Mapping[str, Any], tensors: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Rebuild an optimizer's state dictionary."""
    state: dict[int, dict[str, Any]] = {int(i): dict(v) for i, v in held["numbers"].items()}
    for path, value in _under(tensors, f"optimizer/{number}/").items():
        index, _, key = path.partition("/")
        state.setdefault(int(index), {})[key] = value
    groups = [
        {k: tuple(v) if k == "betas" else v for k, v in group.items()} for group in held["groups"]
    ]
    return {"state": state, "param_groups": groups}


def _under(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
