"""An arm: one of the two compared versions, with its launcher, session and run folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from bench.gate.errors import GateError
from bench.gate.source_tree import SourceTree, origins_in
from bench.gate.worktree import ARM_PREFIX
from bench.instruments.options import ModelSpecsOptions
from bench.instruments.results import ModelSpecsResult
from bench.plan import Plan
from suite.engine.run_config import RunConfig
from suite.engine.session import Session
from suite.import_root import PREFIX, TREE
from suite.options import Selection
from suite.runs.store import RunFolder
from suite.spec import Gap, ModelSpec
from suite.worker.client import Answer, Launcher, LauncherError, OnPart, Worker, no_parts
from suite.worker.protocol import Job

INSTRUMENTS: Final = ("bench", "diagnostics", "vitals")
"""Packages that both arms import from the working tree: both are measured by the same instruments. A tree whose workers
speak another version of the protocol brings its own, as many of them as it has."""
GATE_PRELOAD: Final = (
    "bench.instruments.turns",
    "bench.instruments.static_facts",
    "bench.instruments.agreement",
    "bench.instruments.model_specs",
    "bench.instruments.profile",
)
COUNT_PRELOAD: Final = ("bench.instruments.instructions",)
PAD: Final = 2048
"""Length in characters to which both arms' import paths are padded."""
RECORDS: Final = "bench.instruments.model_specs:run"
MISFIT_ERRORS: Final = ("ModuleNotFoundError", "ImportError", "AttributeError", "TypeError")
"""Exceptions of sources that are too old for the instruments."""
RECORDS_DEADLINE: Final = 180.0


Start = Callable[..., Worker]
"""Starts a worker: `Launcher`, or a fake one in tests."""
Launch = Callable[[Sequence[str], Mapping[str, str], float, Path], Worker]
"""Starts one more launcher of an arm: with a command in front of it, more environment variables, the seconds that its
imports may take, and the folder of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One of the two versions, ready to be measured."""

    name: str
    """base or head."""
    sources: SourceTree
    python: str
    session: Session
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package -> version in this arm's interpreter."""
    missing: tuple[str, ...] = ()
    """Models that this arm does not have."""
    launch: Launch | None = None
    """Starts one more launcher of the arm."""

    @property
    def worker(self) -> Worker:
        """The worker that runs this arm's jobs."""
        return self.session.worker


@contextmanager
def open_arm(
    name: str,
    sources: SourceTree,
    *,
    selection: Selection,
    plan: Plan,
    folder: Path,
    out: Path,
    deadline: float,
    preload: Sequence[str],
    python: str = sys.executable,
    start: Start = Launcher,
) -> Iterator[Arm]:
    """Start the arm's launcher and yield the arm; imports go on in the background. Closes the launcher at the end."""
    run = RunFolder(folder / name)
    for part in (run.onnx, run.logs):
        part.mkdir(parents=True, exist_ok=True)
    options = replace(
        selection.job_options,
        plan=plan.as_dict(),
        models_from=str(sources.models_from) if sources.models_from else "",
        origins=origins_in(sources, selection.job_options.origins),
    )
    with _import_folder(sources) as tree:
        same = partial(start, python=python, tree=tree, paths=sources.paths)
        launcher = same(
            preload=tuple(name_in(tree, entry) for entry in (*preload, *GATE_PRELOAD)),
            log=run.logs / "launcher.log",
            prefix=fixed_address_prefix(),
            variables=equalize_environment(tree, sources.paths),
        )

        def launch(
            prefix: Sequence[str], variables: Mapping[str, str], seconds: float, logs: Path
        ) -> Worker:
            return same(
                preload=(*preload, *COUNT_PRELOAD),
                log=logs / "launcher-again.log",
                prefix=(*fixed_address_prefix(), *prefix),
                variables={**equalize_environment(tree, sources.paths), **variables},
                start_deadline=seconds,
            )

        is_ours = sources.takes_our_instruments
        worker = launcher if is_ours else OlderWorker(worker=launcher, tree=tree)
        try:
            session = Session(
                request=RunConfig(
                    specs=selection.specs,
                    options=options,
                    deadline=deadline,
                    cold_replicates=1,
                    cache=str((out / "cache" / "onnx").resolve()),
                    states=str((out / "cache" / "states").resolve()),
                ),
                folder=run,
                worker=worker,
            )
            yield Arm(name=name, sources=sources, python=python, session=session, launch=launch)
        finally:
            worker.close()


def handshake(arm: Arm, models: Sequence[str]) -> Arm:
    """Ask the arm's launcher for its models, their gaps and the library versions; returns the arm with them.

    Raises GateError if the launcher does not start, PyTorch is missing, or the models file does not import.
    """
    launcher = arm.worker.worker if isinstance(arm.worker, OlderWorker) else arm.worker
    if isinstance(launcher, Launcher):
        try:
            ready = launcher.wait_until_ready()
        except LauncherError as error:
            raise GateError(f"{_arm_title(arm)} does not start: {error}") from error
        if "torch" in ready["failed"]:
            raise GateError(
                f"{_arm_title(arm)}: {arm.python} cannot import torch ({ready['failed']['torch']});"
                f" next: python -m diagnostics --python {arm.python}"
            )
    options = arm.session.request.options.extended(ModelSpecsOptions(models=tuple(models)))
    log = str(arm.session.folder.logs / "records.log")
    answer = arm.worker.run(
        Job(runner=RECORDS, options=options, deadline=RECORDS_DEADLINE, log=log)
    )
    if answer.failure is not None:
        is_foreign = answer.failure.kind in MISFIT_ERRORS
        hint = " (its sources do not fit the instruments of this version; name a newer one)"
        raise GateError(
            f"{_arm_title(arm)} cannot list its models: {answer.failure.message}{hint if is_foreign else ''};"
            f" its log: {answer.failure.log or log}"
        )
    found = answer.read(ModelSpecsResult)
    specs = {
        name: _spec_of_arm(arm.session.request.specs[name], data)
        for name, data in found.specs.items()
        if data is not None
    }
    session = replace(arm.session, request=replace(arm.session.request, specs=specs))
    return replace(
        arm,
        session=session,
        versions=found.versions,
        missing=tuple(name for name, data in found.specs.items() if data is None),
    )


def _spec_of_arm(spec: ModelSpec, data: Mapping[str, Any]) -> ModelSpec:
    """Return the model's record with the sizes, gaps and required packages of this arm."""
    known = Gap.__dataclass_fields__
    gaps = tuple(
        Gap(**{k: v for k, v in gap.items() if k in known}) for gap in data.get("gaps", ())
    )
    sizes = {name: size for name, size in spec.sizes.items() if name in data.get("sizes", {})}
    changes: dict[str, Any] = {"gaps": gaps, "requires": tuple(data.get("requires", ()))}
    return replace(spec, **changes, sizes=sizes or spec.sizes)


@contextmanager
def _import_folder(sources: SourceTree) -> Iterator[Path]:
    """Make the folder that the arm imports from: its own `suite`, and the working tree's instruments.

    Both arms have such a folder, with paths of equal length: different import paths would change their memory use.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{ARM_PREFIX}{os.getpid()}-"))
    try:
        for name, package in _packages(sources).items():
            (folder / name).symlink_to(package, target_is_directory=True)
        yield folder
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)


def _packages(sources: SourceTree) -> dict[str, Path]:
    """Return import name -> folder of the packages that an arm imports."""
    if PREFIX:  # installed: both arms have the one version, and differ in the user's models
        return {PREFIX.rstrip("."): TREE}
    instruments = TREE if sources.takes_our_instruments else sources.tree
    shared = {n: instruments / n for n in INSTRUMENTS if (instruments / n).is_dir()}
    return {"suite": sources.tree / "suite", **shared}


@cache
def fixed_address_prefix() -> tuple[str, ...]:
    """Return the command prefix that disables address-space randomization; empty where that is not permitted.

    All blocks of an arm are forks of one launcher and share its layout, so one random layout would bias every block.
    Measured on two cores, eight blocks of `lstm` and `bert` at tiny, three pairs of launchers: equal arms differed by
    up to 0.9% (1.5% once) with randomization and by up to 0.4% without, and blocks spread half as much.
    """
    command = ("setarch", "-R")
    if sys.platform != "linux" or not shutil.which(command[0]):
        return ()
    try:
        done = subprocess.run([*command, "true"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if done.returncode == 0 else ()


def equalize_environment(tree: Path, paths: Sequence[Path]) -> dict[str, str]:
    """Return environment variables that give both arms' environments one length, and string hashes one seed.

    The environment is at the start of the stack: its length decides the addresses of everything after it.
    """
    used = len(os.pathsep.join(map(str, (tree, *paths))))
    return {"PYTHONHASHSEED": "0", "VITALS_PAD": "x" * max(0, PAD - used)}


def _arm_title(arm: Arm) -> str:
    return f"the {arm.name} arm, {arm.sources.label},"


# Arms whose `suite` does not take the working tree's instruments: they use those of their own tree.
#
# Both arms are measured by the same code as long as they speak one version of the worker protocol. An older tree
# brings its own `bench` and `diagnostics`; its results come as mappings, which `suite.results` decodes all the same.

OLDER_NAMES: Final[Mapping[str, str]] = {
    "bench.instruments.static_facts": "bench.instruments.facts",
    "bench.instruments.model_specs": "bench.instruments.records",
}
"""Module of an instrument -> its name in trees that do not have it."""


def name_in(tree: Path, runner: str) -> str:
    """Return the name that `module` or `module:function` has in that source tree."""
    module, colon, function = runner.partition(":")
    is_there = (tree / f"{module.replace('.', '/')}.py").is_file()
    return runner if is_there else f"{OLDER_NAMES.get(module, module)}{colon}{function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderWorker:
    """A worker of an older source tree: runs jobs by the names that their runners have there."""

    worker: Worker
    tree: Path

    def run(self, job: Job, on_part: OnPart = no_parts) -> Answer:
        """Run the job to its end; see Worker."""
        return self.worker.run(replace(job, runner=name_in(self.tree, job.runner)), on_part)

    def close(self) -> None:
        """End whatever still runs."""
        self.worker.close()
