#!/usr/bin/env bash
# ray 2.60.0: `ray.init()` that starts a cluster leaves a token in ~/.ray, and from then on every `ray start --head` of
# that user asks for it, without an option. A driver on the same machine, of the same user, that names the head's
# address does not present the token and is told "Failed to connect to Ray cluster" after half a minute;
# RAY_AUTH_MODE=token makes it connect. `address="auto"` presents it by itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${head:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check ray==2.60.0
export HOME="$folder" RAY_USAGE_STATS_ENABLED=0
unset RAY_AUTH_MODE RAY_ADDRESS
cd "$folder"
cat > connect.py <<'PYTHON'
import sys

import ray

ray.init(address=sys.argv[1], log_to_driver=False)
print("connected to", sys.argv[1].split(":")[0], "with ray", ray.__version__)
PYTHON
start_head() {
    "$folder/venv/bin/ray" start --head --block --port "$1" --num-cpus 1 --object-store-memory 80000000 \
        --include-dashboard false > "head$1.log" 2>&1 &
    head=$!
    until (: > "/dev/tcp/127.0.0.1/$1") 2>/dev/null; do kill -0 "$head"; sleep 1; done
}
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
start_head "$port"
"$folder/venv/bin/python" connect.py "127.0.0.1:$port" 2>/dev/null
kill "$head"; wait "$head" || true
test ! -e .ray/auth_token
"$folder/venv/bin/python" connect.py local 2>/dev/null
test -e .ray/auth_token && echo "now there is a token"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
start_head "$port"
if "$folder/venv/bin/python" connect.py "127.0.0.1:$port" > refused.log 2>&1; then
    echo "it connected: this changed" && exit 1
fi
grep -o -m1 "InvalidAuthToken.*" refused.log
tail -n 1 refused.log
RAY_AUTH_MODE=token "$folder/venv/bin/python" connect.py "127.0.0.1:$port" 2>/dev/null
