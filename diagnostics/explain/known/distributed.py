"""Messages of distributed training."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows, run, sh

ROWS = rows(
    "distributed",
    row(
        "dist-env",
        r"environment variable (?P<name>\w+) expected, but not set",
        summary="The variable {name} is not set.",
        cause="The script was started with python instead of torchrun, or only part of the variables "
        "is set.",
        cures=(run("torchrun --standalone --nproc-per-node=1 your_script.py", "sets all of them"),),
    ),
    row(
        "dist-port",
        r"The server socket has failed to listen on any local network address\. (?:port: "
        r"(?P<port>\d+)|"
        r"The server socket has failed to bind to \[::\]:(?P<port2>\d+))",
        summary="The rendezvous port {port}{port2} is in use.",
        cause="Another run still holds it.",
        cures=(
            do("torchrun --standalone ... (or --master-port=29501)", "takes a free port"),
            sh("ss -ltnp | grep -e {port}{port2}", "shows who holds it"),
        ),
        explains=("netron-port",),
    ),
    row(
        "dist-connect",
        r"The client socket has (?:timed out after \S+ while trying to connect to|failed to "
        r"connect to "
        r"any network address of) \(?(?P<host>[^\s,)]+)",
        summary="The rendezvous server {host} cannot be reached.",
        cause="MASTER_ADDR is wrong, the first node is not up, or a firewall stands between.",
        cures=(sh("nc -zv {host} 29500", "tries the connection"),),
    ),
    row(
        "dist-not-initialized",
        r"Default process group has not been initialized",
        summary="A collective was called before init_process_group.",
        cause="The script runs without torchrun, or initialises later.",
        cures=(do('dist.init_process_group("gloo")', "must come first"),),
    ),
    row(
        "dist-twice",
        r"trying to initialize the default process group twice",
        summary="init_process_group was called twice.",
        cause="A library (Lightning, accelerate, transformers) has already done it.",
        cures=(do("if not dist.is_initialized(): ...", "asks first"),),
    ),
    row(
        "dist-no-cuda",
        r"nccl2 requires at least one CUDA device",
        r"ProcessGroupNCCL is only supported with GPUs, no GPUs found",
        r"Distributed package doesn't have NCCL built in",
        summary="NCCL needs a GPU, and there is none (or this build has no NCCL).",
        cause="The backend nccl works on GPUs only, on Linux only.",
        cures=(do('dist.init_process_group("gloo")', "works on the CPU"),),
    ),
    row(
        "dist-no-backend",
        r"No backend type associated with device type (?P<device>\w+)",
        summary="The process group has no backend for {device} tensors.",
        cause="nccl moves GPU tensors only, gloo mostly CPU tensors.",
        cures=(do('init_process_group("cpu:gloo,cuda:nccl")', "has both"),),
    ),
    row(
        "nccl-system-error",
        r"NCCL (?:[Ee]rror|[\d.]+)[^\n]{0,200}unhandled (?:system|cuda) error",
        r"ncclSystemError: System call",
        r"ncclUnhandledCudaError",
        summary="NCCL failed in the system below it.",
        cause="Usually /dev/shm is too small or not writable, or the wrong network interface "
        "is used.",
        cures=(
            sh("export NCCL_DEBUG=INFO", "makes NCCL say what failed"),
            do("docker run --shm-size=8g (or --ipc=host)", "gives shared memory"),
            sh("export NCCL_SOCKET_IFNAME=eth0", "names the interface"),
        ),
    ),
    row(
        "nccl-remote",
        r"ncclRemoteError: A call failed possibly due to a network error or a remote process exiting",
        r"remote process exited or there was a network error",
        r"NCCL communicator was aborted on rank \d+",
        r"Net : Connection closed by remote peer (?P<peer>\S+)",
        summary="Another rank ended or its connection broke; this rank only noticed.",
        cause="The first error of all ranks is the cause: look at the other ranks' output, on every "
        "node, for what was printed earliest. Only when none has an error is it the network.",
        cures=(
            sh("torchrun --tee 3 --log-dir logs ...", "keeps the output of each rank in a file"),
            do("@record from torch.distributed.elastic on main()", "prints the first error"),
            sh("export NCCL_DEBUG=INFO NCCL_SOCKET_IFNAME=eth0", "for the network: names the way"),
        ),
        is_symptom=True,
        explains=("nccl-system-error",),
    ),
    row(
        "nccl-usage",
        r"ncclInvalidUsage: (?P<what>[^\n]{1,120})",
        summary="NCCL was called in a way that cannot work: {what}",
        cause="Usually two ranks use one GPU, tensors lie on different devices, or ranks call "
        "different collectives.",
        cures=(
            do('torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))', "one GPU per rank"),
            sh("export NCCL_DEBUG=WARN", "says which argument"),
        ),
        is_symptom=True,
    ),
    row(
        "nccl-version-mixed",
        r"undefined symbol: (?P<symbol>nccl\w+)",
        summary="torch found an older NCCL than it was built for ({symbol} is missing).",
        cause="A system NCCL in LD_LIBRARY_PATH, or another nvidia-nccl release, is loaded in place "
        "of the one that torch pins.",
        cures=(
            sh("unset LD_LIBRARY_PATH", "keeps the system's NCCL out"),
            pip("install --force-reinstall {torch}", "the same torch again with its own NCCL"),
        ),
        explains=("import-undefined-symbol",),
    ),
    row(
        "dist-mpi",
        r"Distributed package doesn't have MPI built in",
        summary="This torch was built without MPI.",
        cause="The wheels have gloo and NCCL only.",
        cures=(do('dist.init_process_group("gloo") or "nccl"', "is in the wheels"),),
    ),
    row(
        "dist-master-name",
        r"The IPv[46] network addresses of \((?P<host>[^,)\n]+), (?P<port>\d+)\) cannot be retrieved",
        summary="The name {host} in MASTER_ADDR cannot be resolved.",
        cause="It is misspelt, or the nodes have no name service for it.",
        cures=(
            sh("getent hosts {host}", "asks as torch does"),
            do("MASTER_ADDR=<IP address of the first node>", "needs no name"),
        ),
        explains=("dist-connect", "no-network"),
    ),
    row(
        "nccl-duplicate-gpu",
        r"Duplicate GPU detected ?: rank (?P<a>\d+) and rank (?P<b>\d+) both on CUDA device "
        r"(?P<device>\w+)",
        summary="Ranks {a} and {b} use the same GPU.",
        cause="The device was not set from LOCAL_RANK.",
        cures=(do('torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))', "gives each its own"),),
    ),
    row(
        "nccl-timeout",
        r"Watchdog caught collective operation timeout: WorkNCCL\([^)]{0,120}?OpType=(?P<op>\w+)",
        r"Some NCCL operations have failed or timed out",
        summary="A collective ({op}) waited too long for another rank.",
        cause="One rank died, took another path, or loads data far slower; the first error of "
        "all ranks "
        "is the cause.",
        cures=(
            do("init_process_group(..., timeout=timedelta(minutes=30))", "waits longer"),
            sh("export TORCH_NCCL_DESYNC_DEBUG=1", "says which rank is missing"),
        ),
        is_symptom=True,
    ),
    row(
        "gloo-connection",
        r"gloo/transport/tcp/pair\.cc:\d+\][^\n]{0,60}(?:Connection (?:closed|reset) by "
        r"peer|timed out)",
        summary="Another rank went away.",
        cause="Its own error, printed by that rank, is the cause.",
        is_symptom=True,
    ),
    row(
        "ddp-unused",
        r"Expected to have finished reduction in the prior iteration before starting a new one",
        summary="Some parameters took no part in the loss.",
        cause="DistributedDataParallel waits for the gradient of every parameter.",
        cures=(
            do("DistributedDataParallel(model, find_unused_parameters=True)", "looks for them"),
            sh("export TORCH_DISTRIBUTED_DEBUG=DETAIL", "names them"),
        ),
    ),
    row(
        "ddp-ready-twice",
        r"Expected to mark a variable ready only once",
        summary="A parameter's gradient was ready twice.",
        cause="A layer is used twice with gradient checkpointing, or find_unused_parameters is on "
        "beside it.",
        cures=(
            do("checkpoint(..., use_reentrant=False)", "does not run hooks twice"),
            do("DistributedDataParallel(..., static_graph=True)", "accepts repeated use"),
        ),
    ),
    row(
        "ddp-frozen",
        r"DistributedDataParallel is not needed when a module doesn't have any parameters? that "
        r"require",
        summary="Everything in the model is frozen.",
        cause="There is no gradient to share.",
        cures=(do("head.requires_grad_(True), or no wrapper", "trains something"),),
    ),
    row(
        "ddp-shapes",
        r"DDP expects same model across all ranks, but (?P<what>[^\n]{1,120})",
        r"params\[\d+\] in this process with sizes \[(?P<what>[\d, ]+)\] appears not to match",
        summary="The ranks hold different models ({what}).",
        cause="The configuration, vocabulary or random choice differs between ranks.",
    ),
    row(
        "dist-child-failed",
        r"torch\.distributed\.elastic\.multiprocessing\.errors\.ChildFailedError",
        r"ProcessExitedException: process \d+ terminated with (?:signal|exit code) (?P<what>\w+)",
        r"ProcessRaisedException:",
        summary="A worker of the distributed run failed.",
        cause="Its own error, further up, is the cause.",
        cures=(do("@record from torch.distributed.elastic on main()", "prints the first error"),),
        is_symptom=True,
    ),
    row(
        "torchrun-nproc",
        r"unrecognized arguments: --local[-_]rank=(?P<rank>\d+)",
        summary="The script does not know --local-rank.",
        cause="torch.distributed.launch passes it as an argument; torchrun as a variable.",
        cures=(do('int(os.environ["LOCAL_RANK"]) and torchrun', "is the newer way"),),
    ),
)
