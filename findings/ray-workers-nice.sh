#!/usr/bin/env bash
# ray 2.60.0: tasks run at nice 15 more than the node's own processes, so that a benchmark in a Ray task is behind
# every other process of its machine. RAY_worker_niceness=0 in the environment of `ray start` (or of ray.init, where it
# starts the cluster) turns it off; without root a task cannot go back by itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check ray==2.60.0
cd "$folder"
cat > seen.py <<'PYTHON'
import os

import ray

ray.init(
    address="local", num_cpus=1, object_store_memory=80 << 20, include_dashboard=False,
    log_to_driver=False, logging_level="ERROR",
)


@ray.remote
def priorities():
    return os.getpriority(os.PRIO_PROCESS, 0), os.getpriority(os.PRIO_PROCESS, os.getppid())


task, node = ray.get(priorities.remote())
print(f"ray {ray.__version__}: the task runs at nice {task}, its node's process at nice {node}")
assert task == min(19, node + int(os.environ.get("RAY_worker_niceness", "15")))
PYTHON
export RAY_USAGE_STATS_ENABLED=0
"$folder/venv/bin/python" seen.py
RAY_worker_niceness=0 "$folder/venv/bin/python" seen.py
