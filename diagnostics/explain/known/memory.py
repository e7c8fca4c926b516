"""Messages about too little memory, on the GPU and on the host."""

from __future__ import annotations

from diagnostics.explain.row import do, root, row, rows, sh
from diagnostics.finding import Level

_SMALLER = do(
    "a smaller batch with gradient accumulation, torch.autocast, or gradient checkpointing",
    "lowers the peak without changing the model",
)

ROWS = rows(
    "memory",
    row(
        "cuda-oom-fragmentation",
        r"CUDA out of memory[\s\S]{0,800}?(?P<idle>[\d.]+) (?P<unit>GiB|MiB) is reserved by "
        r"PyTorch "
        r"but unallocated[\s\S]{0,200}?(?:avoid fragmentation|expandable_segments)",
        summary="The GPU is full; {idle} {unit} are held by torch but not in use.",
        cause="Freed blocks are kept in pieces that do not fit the next request, when the held share "
        "is large; when it is small, the model and batch are simply too large.",
        cures=(
            sh("export PYTORCH_ALLOC_CONF=expandable_segments:True", "lets pieces grow together"),
            _SMALLER,
        ),
        explains=("cuda-oom",),
    ),
    row(
        "cuda-oom-other-process",
        r"CUDA out of memory[\s\S]{0,500}?Process (?P<pid>\d+) has (?P<held>[\d.]+ \w+) "
        r"memory in use",
        summary="The GPU is full; process {pid} holds {held} of it.",
        cause="Another process uses the same GPU.",
        cures=(
            sh("ps -o pid,user,etime,cmd -p {pid}", "shows whose it is"),
            sh("export CUDA_VISIBLE_DEVICES=1", "takes another GPU"),
            _SMALLER,
        ),
        explains=("cuda-oom", "cuda-oom-fragmentation"),
    ),
    row(
        "cuda-oom",
        r"CUDA out of memory\. Tried to allocate (?P<want>[\d.]+ \w+)",
        r"CUDA error: out of memory",
        r"cudaErrorMemoryAllocation",
        summary="The GPU's memory is full (another {want} was asked for).",
        cause="Model, activations, gradients and optimizer state do not fit, or another process "
        "holds part of the GPU.",
        cures=(_SMALLER, sh("nvidia-smi", "shows who uses how much")),
    ),
    row(
        "mps-oom",
        r"MPS backend out of memory",
        summary="The Mac's GPU memory limit is reached.",
        cause="The Metal backend allows itself a share of the unified memory.",
        cures=(_SMALLER,),
    ),
    row(
        "host-oom-kill",
        r"^(?:\S+: line \d+: +\d+ )?Killed(?: *$|\s{2,}\S)",
        r"^zsh: killed ",
        r"Out of memory: Killed process (?P<pid>\d+)",
        r"oom-kill(?:er|:)",
        r"\bOOMKilled\b",
        r"exit(?:ed with)? code 137\b",
        summary="The kernel stopped the process: the host's memory, or the container's limit, "
        "was full.",
        cause="The process used more memory than the machine or its cgroup allows.",
        cures=(
            sh("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.events", "shows the limit"),
            do("docker run --memory ... (larger), fewer DataLoader workers", "gives or needs less"),
        ),
        explains=("worker-exited", "dist-child-failed"),
    ),
    row(
        "cpu-alloc-fail",
        r"DefaultCPUAllocator: (?:can't allocate memory|not enough memory): you tried to allocate "
        r"(?P<bytes>\d+) bytes",
        summary="The host could not give {gib} of memory.",
        cause="The tensor is larger than the free memory, or a ulimit forbids it; an absurd number "
        "comes from a wrong shape.",
        cures=(
            do("print the shape before this line", "shows whether the size is meant"),
            sh("free -h; ulimit -v", "shows what there is"),
        ),
        derive=lambda values: {"gib": f"{int(values['bytes']) / 2**30:.1f} GiB"},
    ),
    row(
        "array-memory",
        r"Unable to allocate (?P<size>[\d.]+ \w+) for an array with shape (?P<shape>\([^)]*\))",
        summary="NumPy could not allocate {size} for an array of shape {shape}.",
        cause="The array does not fit into memory.",
        cures=(do("use float32, a smaller batch, or np.memmap", "needs less memory"),),
    ),
    row(
        "errno-memory",
        r"\[Errno 12\] Cannot allocate memory",
        summary="The system could not give memory for a new process or mapping.",
        cause="The host's memory (or the container's limit) is full; starting a worker needs room for "
        "a copy of the parent where overcommit is off.",
        cures=(
            sh("free -h; cat /proc/sys/vm/overcommit_memory; ulimit -v", "shows what there is"),
            do("fewer DataLoader workers; start them before the data are loaded", "needs less"),
        ),
        explains=("worker-exited",),
    ),
    row(
        "pin-memory-noop",
        r"'pin_memory' argument is set as true but no accelerator is found",
        summary="pin_memory does nothing here: there is no GPU.",
        cause="Pinned host memory only speeds up copies to an accelerator.",
        cures=(do("pin_memory=torch.cuda.is_available()", "asks for it only where it helps"),),
        level=Level.INFO,
    ),
    row(
        "pinned-memory-limit",
        r"CUDA error: (?:resource already mapped|the operation cannot be performed in the "
        r"present st)",
        r"[Pp]in memory thread exited unexpectedly",
        summary="Host memory could not be pinned.",
        cause="Too much pinned memory, or a low `ulimit -l`.",
        cures=(
            root("ulimit -l unlimited", "lifts the limit for locked memory"),
            do("pin_memory=False", "does without"),
        ),
    ),
)
