"""Checks whether the processes of a distributed run can find each other."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import by_hand, export, finding
from diagnostics.registry import Skipped, check, need

RENDEZVOUS = ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE")


@check("dist-env", "The rendezvous variables are complete", "distributed")
def rendezvous(environment: Environment) -> Iterator[Finding]:
    """Some of MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE are set, others are not.

    Why: init_process_group fails with `environment variable MASTER_ADDR expected, but not set`.
    Cure: torchrun sets all of them.
    """
    have = [name for name in RENDEZVOUS if environment.variables.get(name)]
    lacking = [name for name in RENDEZVOUS if name not in have]
    if not have:
        raise Skipped("no rendezvous variables")
    if lacking:
        yield finding(
            Level.WARN,
            f"{', '.join(have)} set, but not {', '.join(lacking)}",
            cause="half of a distributed set-up was exported by hand",
            evidence={name: environment.variables[name] for name in have},
            fixes=(
                by_hand("torchrun --nproc-per-node 2 train.py", "sets all four"),
                export("unset " + " ".join(have), "for a run in one process"),
            ),
        )


@check("dist-port", "The rendezvous port is free", "distributed")
def port(environment: Environment) -> Iterator[Finding]:
    """On rank 0, another program uses MASTER_PORT.

    Why: `The server socket has failed to listen on any local network address ... EADDRINUSE`. Cure:
    use another port, or end the earlier run.
    """
    if "MASTER_PORT" not in environment.variables:
        raise Skipped("MASTER_PORT is not set")
    taken = need(environment.ports).taken.get("MASTER_PORT")
    if taken:
        yield finding(
            Level.ERROR,
            f"port {taken} (MASTER_PORT) is taken",
            cause="another program listens there, perhaps an earlier run",
            evidence={f"bind :{taken}": "in use"},
            fixes=(
                export(f"export MASTER_PORT={taken + 1}", "or torchrun --master-port 0"),
                by_hand(f"ss -ltnp 'sport = :{taken}'", "shows who listens"),
            ),
            explains=("deep-gloo", "deep-nccl"),
        )


@check("nccl-system-error", "NCCL has what it needs", "distributed")
def nccl(environment: Environment) -> Iterator[Finding]:
    """NCCL_SOCKET_IFNAME names an interface that does not exist, or shared memory cannot be used.

    Why: `NCCL error: unhandled system error`. Cure: drop the setting; see the shared memory check.
    """
    disabled = environment.variables.get("NCCL_SHM_DISABLE") == "1"
    interface = environment.variables.get("NCCL_SOCKET_IFNAME", "")
    names = environment.variables.get("GLOO_SOCKET_IFNAME", "")
    present = set(need(environment.ports).interfaces)
    for variable, value in (("NCCL_SOCKET_IFNAME", interface), ("GLOO_SOCKET_IFNAME", names)):
        wanted = [part for part in value.lstrip("^=").split(",") if part]
        if not wanted or value.startswith("^") or not present:
            continue
        if not any(have.startswith(part) for part in wanted for have in present):
            yield finding(
                Level.ERROR,
                f"{variable}={value}: there is no such network interface",
                subject=variable,
                cause="copied from another machine",
                evidence={"interfaces": ", ".join(sorted(present))},
                fixes=(export(f"unset {variable}", "lets the library choose"),),
                explains=("deep-gloo", "deep-nccl"),
            )
    if disabled and len(environment.gpus) > 1:
        yield finding(
            Level.WARN,
            "NCCL_SHM_DISABLE=1 sends data between GPUs over the network stack",
            subject="NCCL_SHM_DISABLE",
            cause="left over from a search for an error",
            evidence={"NCCL_SHM_DISABLE": "1"},
            fixes=(export("unset NCCL_SHM_DISABLE", "shared memory again"),),
        )
