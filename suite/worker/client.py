"""The parent's client: starts a launcher, sends it jobs, waits without polling, and kills at the deadline."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from diagnostics.codec import decode_as
from suite.import_root import OWN, python_path
from suite.outcome import Outcome
from suite.record import Failure
from suite.scratch_folder import Scratch
from suite.worker.errors import num_oom_kills, outcome_of, signal_name, tail_of
from suite.worker.protocol import MORE, Job

T = TypeVar("T")

START_DEADLINE = 300.0
"""Time limit in seconds of the heavy imports: minutes on a cold network disk, 5-15 s otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Outcome and result of one job."""

    outcome: Outcome
    result: Mapping[str, Any] = field(default_factory=dict)
    """Result of the runner as JSON-able data: see `read`."""
    failure: Failure | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    """Phase -> seconds, by the worker's clock."""

    answered_at: float = 0.0
    """time.perf_counter() of the worker when it answered; on Linux every process reads the same clock."""

    def read(self, kind: type[T]) -> T:
        """Return the runner's result as that dataclass; raise ValueError with the invalid field."""
        return decode_as(kind, self.result.get("result", self.result.get("facts")))


OnPart = Callable[[str, Answer], None]
"""Called with the name and the answer of each part of a job as it is done: see `Event`."""


def no_parts(name: str, answer: Answer) -> None:
    """Take no notice of parts."""


class Worker(Protocol):
    """Interface that runs jobs: the launcher's client, or its fake."""

    def run(self, job: Job, on_part: OnPart = no_parts) -> Answer:
        """Run the job to its end or deadline; does not raise for failures in the worker."""
        ...

    def close(self) -> None:
        """End everything that still runs."""
        ...


class LauncherError(RuntimeError):
    """Error raised if the launcher does not start; the message holds the reason."""


class Launcher:
    """Launcher process of one interpreter and source tree; started at once, awaited at the first job.

    It imports from `tree` first (default: these packages), then from `paths` (default: the current folder).
    `prefix` is a command that starts it; `variables` are added to its environment; its imports may take
    `start_deadline` seconds.
    """

    def __init__(
        self,
        *,
        python: str = sys.executable,
        tree: Path | None = None,
        paths: Sequence[Path] | None = None,
        preload: Sequence[str] = (),
        log: Path | None = None,
        prefix: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        start_deadline: float = START_DEADLINE,
    ) -> None:
        self._python = python
        self._start_deadline = start_deadline
        self._preload = tuple(preload)
        self._log = log
        # Taken once, so that a restarted launcher has the same environment.
        trees = OWN if tree is None else (tree,)
        own = _environment([*trees, *([Path.cwd()] if paths is None else paths)])
        self._environment = {**own, **(variables or {})}
        self._prefix = tuple(prefix)
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: dict[str, Any] | None = None
        self._child: int | None = None
        self._scratch: Scratch | None = None
        self.start()

    def start(self) -> None:
        """Start the process and return at once, so that its imports run in parallel with the caller's work."""
        self._lines = queue.SimpleQueue()
        self._ready = None
        if self._scratch is None:
            with contextlib.suppress(OSError):  # no room there: workers may need none
                self._scratch = Scratch()
        own = temporary_in(self._scratch.path) if self._scratch is not None else {}
        with contextlib.ExitStack() as stack:
            log: IO[bytes] | int = subprocess.DEVNULL
            if self._log is not None:
                log = stack.enter_context(self._log.open("ab"))
            self._process = subprocess.Popen(
                # -P: -m alone would put the current folder first, which may hold another version.
                [*self._prefix, self._python, "-P", "-m", "suite.worker.launcher", *self._preload],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**self._environment, **own},
                start_new_session=True,  # Ctrl-C reaches the parent, which then ends this process
            )
        threading.Thread(
            target=_read, args=(self._process.stdout, self._lines), daemon=True
        ).start()

    def wait_until_ready(self) -> Mapping[str, Any]:
        """Return the launcher's `ready` data: seconds, failed modules, num_threads. Raises LauncherError."""
        if self._ready is None:
            event = self._next(time.monotonic() + self._start_deadline)
            if event is None or event["kind"] != "ready":
                self.close()
                tail = tail_of(str(self._log)) if self._log else ""
                raise LauncherError(
                    f"the launcher ({self._python} -m suite.worker.launcher) did not start:"
                    f" {'no answer in time' if event is None else event['kind']}\n{tail}\n"
                    "Next: python -m diagnostics"
                )
            self._ready = event["data"]
        return self._ready

    def preload(self, modules: Sequence[str]) -> None:
        """Make the launcher import these as well, and return at once; the next job waits for it.

        A helper that has described a model so becomes the launcher of the run, whose imports are not made again.
        """
        more = [name for name in modules if name not in self._preload]
        self._preload = (*self._preload, *more)
        if self._process is None or self._process.poll() is not None:
            self.start()
            return
        self.wait_until_ready()
        self._ready = None
        self._send(json.dumps({MORE: more}))

    def _send(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has just died; the reader reports it
            self._process.stdin.write((line + "\n").encode())
            self._process.stdin.flush()

    def _next(self, until: float) -> dict[str, Any] | None:
        """Return the next event, or None at the deadline; blocks without polling."""
        try:
            event = self._lines.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None
        return event if event is not None else {"kind": "gone", "data": {}, "at": 0.0}

    def run(self, job: Job, on_part: OnPart = no_parts) -> Answer:
        """Run the job in a fresh process; see Worker."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        try:
            self.wait_until_ready()
        except LauncherError as error:
            failure = Failure(kind="launcher", message=str(error), phase="start")
            return Answer(outcome=Outcome.CRASHED, failure=failure)
        kills = num_oom_kills()
        self._send(job.to_json())
        try:
            return self._follow(job, kills, on_part)
        except BaseException:  # Ctrl-C: the job must not continue alone
            self._kill_child()
            raise

    def _follow(self, job: Job, kills: int, on_part: OnPart) -> Answer:
        """Collect the job's events until its exit."""
        until = time.monotonic() + job.deadline
        marks: list[tuple[str, float]] = []
        said: dict[str, Any] | None = None
        ended_at = 0.0
        timed_out = False
        while True:
            event = self._next(until)
            if event is None:  # the deadline
                if timed_out:  # killed, but the launcher still does not answer: it hangs itself
                    self._kill_launcher()
                    status = -signal.SIGKILL
                    break
                timed_out = True
                self._kill_child()
                until = time.monotonic() + 10.0
                continue
            kind, data, at = event["kind"], event["data"], event["at"]
            if kind == "started":
                self._child = data["pid"]
            elif kind == "phase":
                marks.append((data["name"], at))
            elif kind == "part":
                output = {"kind": "result", "data": data["output"]}
                on_part(data["name"], _answer(job, marks, output, at, 0, False, False))
            elif kind in ("result", "failure"):
                said, ended_at = event, at
            elif kind == "exit":
                status = data["status"]
                break
            elif kind == "gone":
                self._process = None
                status = -signal.SIGKILL
                break
        self._child = None
        return _answer(job, marks, said, ended_at, status, timed_out, num_oom_kills() > kills)

    def _kill_child(self) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if hasattr(os, "killpg"):
                    os.killpg(self._child, signal.SIGKILL)
                else:
                    os.kill(self._child, signal.SIGTERM)

    def _kill_launcher(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self, *, at_once: bool = False) -> None:
        """End the launcher and its child processes; `at_once` also in the middle of its imports."""
        self._kill_child()
        if at_once:
            self._kill_launcher()
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                assert process.stdin is not None
                process.stdin.close()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._scratch is not None:  # what killed workers have left in it goes with it
            self._scratch.close()
            self._scratch = None


LONGEST_SOCKET = 107
"""Bytes of a Unix socket's address on Linux; 104 on macOS."""
SOCKET_BELOW = 40
"""Bytes that multiprocessing adds to the temporary folder's path for the address of a socket."""


def temporary_in(folder: Path) -> dict[str, str]:
    """Return the variables that make `folder` the temporary folder of a process and of all that it starts.

    The cache of torch.compile stays where it would be, for it is to outlive the process. Empty for a folder whose path
    would be too long for sockets.
    """
    if len(os.fsencode(folder)) + SOCKET_BELOW > LONGEST_SOCKET:
        return {}
    variables = {"TMPDIR": str(folder)}
    with contextlib.suppress(KeyError, OSError):  # a user without a name
        user = re.sub(r'[\\/:*?"<>|]', "_", getpass.getuser())
        cache = str(Path(tempfile.gettempdir(), f"torchinductor_{user}"))
        variables["TORCHINDUCTOR_CACHE_DIR"] = os.environ.get("TORCHINDUCTOR_CACHE_DIR") or cache
    return variables


def _environment(paths: Sequence[Path]) -> dict[str, str]:
    """Return the launcher's environment variables: the parent's, the import paths, and one thread.

    The launcher must stay single-threaded; every child sets its own number of threads.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    quiet = {"TOKENIZERS_PARALLELISM": os.environ.get("TOKENIZERS_PARALLELISM", "false")}
    return {
        **os.environ,
        **threads,
        **quiet,
        "PYTHONPATH": python_path(paths),
        "PYTHONUNBUFFERED": "1",
    }


def _read(stream: IO[bytes] | None, lines: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    """Put each complete line on the queue, and None at the end. A line cut off by a kill is dropped."""
    assert stream is not None
    for line in stream:
        if line.strip():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and "kind" in event:
                    lines.put(event)
    lines.put(None)


def _answer(
    job: Job,
    marks: list[tuple[str, float]],
    said: dict[str, Any] | None,
    ended_at: float,
    status: int,
    timed_out: bool,
    was_oom_killed: bool,
) -> Answer:
    """Return the answer that the collected events describe."""
    ends = [at for _, at in marks[1:]] + [ended_at]
    phases: dict[str, float] = {}
    for (name, begin), end in zip(marks, ends, strict=False):
        if end:
            phases[name] = phases.get(name, 0.0) + end - begin
    phase = marks[-1][0] if marks else "start"
    if said is not None and said["kind"] == "result" and not timed_out:
        return Answer(
            outcome=Outcome.PASSED, result=said["data"], phases=phases, answered_at=ended_at
        )
    if said is not None and said["kind"] == "failure":
        kind, message = said["data"]["kind"], said["data"]["message"]
        outcome = outcome_of(kind, message)
    elif timed_out:
        outcome, kind = Outcome.TIMED_OUT, "deadline"
        message = (
            f"not done after {job.deadline:g} s, killed in phase {phase}; the stacks are in the log."
            " Next: a longer --deadline, a smaller --size, or fix the hang"
        )
    elif was_oom_killed and status == -signal.SIGKILL:
        outcome, kind = Outcome.OUT_OF_MEMORY, "SIGKILL"
        message = (
            f"killed by the kernel for memory in phase {phase}; next: a smaller --batch or --size"
        )
    else:
        outcome = Outcome.CRASHED
        kind = signal_name(-status) if status < 0 else f"exit {status}"
        message = f"the worker died in phase {phase} ({kind}) without an answer"
    failure = Failure(
        kind=kind, message=message, phase=phase, log_tail=tail_of(job.log), log=job.log
    )
    return Answer(outcome=outcome, failure=failure, phases=phases)
