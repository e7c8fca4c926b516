"""Checks that transformers accepts the installed torch and can reach its model files."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.accelerator import counted_as
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import by_hand, export, finding, listing
from diagnostics.install_commands import install
from diagnostics.registry import Skipped, check, need
from diagnostics.requirement import parse_requirement
from diagnostics.version import allows

FLOOR = ">=2.6"
"""What transformers 5.23 asks of torch, should its metadata not say."""


def _present(environment: Environment) -> None:
    if not {"transformers", "huggingface-hub"} & set(environment.packages):
        raise Skipped("transformers is not installed")


@check("torch-missing-or-old", "torch is new enough for transformers", "transformers")
def torch_too_old(environment: Environment) -> Iterator[Finding]:
    """transformers requires a newer torch than the installed one.

    Why: it disables torch with one line in the log, then reports `requires PyTorch >= 2.6, but
    PyTorch was not found`. Cure: a newer torch, or an older transformers.
    """
    version = environment.packages.get("transformers")
    if not version:
        raise Skipped("transformers is not installed")
    torch = need(environment.torch, "torch is not installed")
    declared = next(
        (
            wanted.ranges
            for item in environment.distributions
            if item.name == "transformers"
            for line in item.requires
            if (wanted := parse_requirement(line)) and wanted.name == "torch"
        ),
        FLOOR if allows(">=5", version) else "",
    )
    if declared and not any(allows(declared, item) for item in counted_as(torch.version)):
        yield finding(
            Level.ERROR,
            f"transformers {version} asks for torch {declared}, this is {torch.version}",
            cause="it disables torch that is too old for it",
            evidence={"torch": torch.version, "transformers": version},
            fixes=(
                install(
                    environment,
                    f"torch{declared.replace(' ', '')}",
                    "torchvision",
                    why="brings a newer torch with its torchvision",
                    upgrade=True,
                ),
                install(environment, "transformers<5", why="or keeps this torch"),
            ),
            explains=("deep-import:transformers", "deep-transformers"),
        )


@check("offline-empty-cache", "Offline mode has something in the cache", "transformers")
def offline(environment: Environment) -> Iterator[Finding]:
    """HF_HUB_OFFLINE is set and the cache contains no model.

    Why: `We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them
    in the cached files`. Cure: unset it, or download the model first.
    """
    _present(environment)
    hub = need(environment.hub)
    if hub.offline:
        yield finding(
            Level.WARN if not hub.num_cached else Level.INFO,
            "offline mode is on and the model cache is empty"
            if not hub.num_cached
            else f"offline mode is on; {hub.num_cached} model(s) are cached",
            cause="HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids downloads",
            evidence={"cache": hub.home, "models": hub.num_cached},
            fixes=(
                export("unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE", "allows downloads again"),
                by_hand("hf download REPOSITORY", "fills the cache while there is a network"),
            ),
        )


@check("hf-home-bad", "The model cache can be written", "transformers")
def hub_home(environment: Environment) -> Iterator[Finding]:
    """The cache's folder is a file, is below a file, or is not writable.

    Why: `NotADirectoryError: '<HF_HOME>/token'`, `Permission denied`. Cure: set HF_HOME to another
    folder.
    """
    _present(environment)
    for disk in environment.disks:
        if disk.purpose != "hub cache" or (disk.is_directory and disk.writable):
            continue
        yield finding(
            Level.ERROR if not disk.is_directory else Level.WARN,
            f"{disk.path} cannot hold the model cache",
            cause=f"{disk.blocker} is a file"
            if not disk.is_directory
            else f"{disk.blocker} cannot be written by this user",
            evidence={"HF_HOME": environment.variables.get("HF_HOME", "not set")},
            fixes=(export("export HF_HOME=$HOME/huggingface", "any folder of yours"),),
            explains=("deep-transformers",),
        )


@check("safetensors-header", "Cached weights are weights", "transformers")
def cached_weights(environment: Environment) -> Iterator[Finding]:
    """A cached safetensors file does not start with a valid header.

    Why: a broken download or a Git LFS pointer: `Error while deserializing header: HeaderTooLarge`.
    Cure: delete it and download again.
    """
    broken = need(environment.hub).broken
    if broken:
        paths = [row.partition(": ")[0] for row in broken]
        yield finding(
            Level.ERROR,
            f"{len(broken)} cached weight file(s) are damaged: {listing(paths, 2)}",
            cause="a download that broke off, or a Git LFS pointer in place of the file",
            evidence={
                path: row.partition(": ")[2] for path, row in zip(paths, broken, strict=True)
            },
            fixes=(by_hand(f"rm {listing(paths, 1)}", "the next from_pretrained downloads it"),),
        )
