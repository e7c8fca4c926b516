"""Reports the trials of the deep tier, one check per trial."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Evidence, Finding, Fix, Level
from diagnostics.finding_builders import by_hand, finding
from diagnostics.records import Trial
from diagnostics.registry import Skipped, check

IMPORTS = ("deep-import:torch",)


def _trial(environment: Environment, name: str) -> Trial:
    for trial in environment.trials:
        if trial.name == name:
            if trial.outcome == "unavailable":
                raise Skipped(trial.detail)
            return trial
    raise Skipped("not tried")


def _judge(
    environment: Environment, name: str, *, explains: tuple[str, ...] = (), subject: str = ""
) -> Iterator[Finding]:
    trial = _trial(environment, name)
    if trial.outcome == "passed":
        return
    late = trial.outcome == "timed_out"
    crowded = environment.system.load > environment.system.num_cores
    cause, fixes = _timeout(crowded) if late else _explained(trial, environment)
    verb = {
        "failed": "failed",
        "crashed": "crashed",
        "timed_out": "did not end",
        "wrong": "gave a wrong result",
    }[trial.outcome]
    tail = [row for row in trial.log.splitlines() if row.strip()][-3:]
    evidence: dict[str, object] = {"outcome": f"{trial.outcome} after {trial.seconds:g} s"}
    if tail and trial.outcome != "wrong":
        evidence["stderr"] = " | ".join(tail)
    yield finding(
        Level.WARN if late and crowded else Level.ERROR,
        f"{name.replace(':', ' ')} {verb}: {trial.detail}",
        subject=subject,
        cause=cause,
        evidence=evidence,
        fixes=fixes,
        explains=explains,
    )


def _timeout(crowded: bool) -> tuple[str, tuple[Fix, ...]]:
    if crowded:
        return "the machine was busy: it may only have been late", ()
    return "it hangs, or the machine is very slow", ()


def _explained(trial: Trial, environment: Environment) -> tuple[str, tuple[Fix, ...]]:
    """Return what the explainer knows about the trial's error text."""
    from diagnostics.explanation import explained

    found = explained(f"{trial.log}\n{trial.detail}", environment)
    if found:
        return found
    if trial.outcome == "crashed":
        return "a library ended the process", (
            by_hand("python -X faulthandler -c 'import torch'", "shows where"),
        )
    return "", ()


@check("deep-import", "Each library can be imported", "deep", deep=True)
def imports(environment: Environment) -> Iterator[Finding]:
    """Importing a library fails, crashes or hangs.

    Why: nothing that uses it can work. Cure: that of the cause shown with it.
    """
    names = [t.name for t in environment.trials if t.name.startswith("import:")]
    if not names:
        raise Skipped("not tried")
    for name in names:
        library = name.partition(":")[2]
        effects = {
            "torch": ("deep-*",),
            "torchvision": ("deep-vision", "deep-import:transformers", "deep-transformers"),
            "numpy": ("deep-onnxruntime", "deep-import:onnx*", "deep-export"),
            "onnx": ("deep-export",),
            "onnxruntime": ("deep-onnxruntime", "deep-export"),
            "transformers": ("deep-transformers",),
        }.get(library, ())
        try:
            yield from _judge(environment, name, subject=library, explains=effects)
        except Skipped:
            continue


def _define(code: str, title: str, what: str, why: str, cure: str, trial: str) -> None:
    def examine(environment: Environment) -> Iterator[Finding]:
        return _judge(environment, trial)

    examine.__doc__ = f"{what}\n\n    Why: {why}\n    Cure: {cure}\n    "
    check(code, title, "deep", deep=True)(examine)


_TRIALS = (
    (
        "matmul",
        "Matrix products are right on every device",
        "A matrix product in some type on some device fails or differs from float64.",
        "every layer rests on it.",
        "see the cause; another build of torch or another driver.",
    ),
    (
        "cuda",
        "CUDA starts",
        "A first CUDA tensor cannot be made, or its sum is wrong.",
        "the driver, its libraries or the build do not fit.",
        "see the driver's checks.",
    ),
    (
        "autograd",
        "Gradients are right",
        "A gradient with a known value is wrong or fails.",
        "training would go nowhere.",
        "reinstall torch.",
    ),
    (
        "vision",
        "torchvision's operators work",
        "nms of three boxes fails or keeps the wrong ones.",
        "its extension did not load.",
        "torchvision in the version and variant of torch.",
    ),
    (
        "dataloader",
        "A data loader with workers works",
        "Two workers do not deliver their batches.",
        "shared memory, open files or processes are limited.",
        "see the memory checks.",
    ),
    (
        "export",
        "ONNX export works and agrees",
        "Exporting a tiny model, checking it or running it in ONNX Runtime fails or differs.",
        "onnx, onnxscript, protobuf or onnxruntime do not fit.",
        "see the ONNX checks.",
    ),
    (
        "onnxruntime",
        "ONNX Runtime runs on every provider",
        "A session on an available provider fails, silently uses another one, or computes wrong.",
        "a CUDA provider that cannot load falls back to the CPU without an error.",
        "see the ONNX Runtime checks.",
    ),
    (
        "netron",
        "Netron serves a page",
        "Netron's server does not start or answer.",
        "a damaged package, or a blocked port.",
        "reinstall netron, or another port.",
    ),
    (
        "compile",
        "torch.compile works",
        "A compiled function fails or differs from eager.",
        "no C++ compiler, or a cache that cannot be written.",
        "see the toolchain checks.",
    ),
    (
        "gloo",
        "Process groups start",
        "A gloo (and with a GPU an nccl) group of one fails.",
        "the host name cannot be resolved, or an interface is missing.",
        "see the distributed checks.",
    ),
    (
        "extension",
        "A C++ extension can be built",
        "A small library against torch's headers cannot be compiled, linked or loaded.",
        "compiler, headers or libraries are missing or too old.",
        "see the toolchain checks.",
    ),
    (
        "transformers",
        "transformers runs a model",
        "A tiny BERT cannot be built and run.",
        "transformers hides the real import error.",
        "see torch and torchvision first.",
    ),
)
for _name, _title, _what, _why, _cure in _TRIALS:
    _define(f"deep-{_name}", _title, _what, _why, _cure, _name)


def measured(environment: Environment) -> tuple[Evidence, ...]:
    """Return what the passed trials measured."""
    return tuple(
        Evidence(source=trial.name, value=", ".join(f"{k} {v}" for k, v in trial.values.items()))
        for trial in environment.trials
        if trial.outcome == "passed" and trial.values
    )
