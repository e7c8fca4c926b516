#!/usr/bin/env bash
# netron 9.3.3: two servers started in one process both open the model that was served last; the first page
# names the second file. What is served is kept on the handler's class and not on the server, so that
# a side-by-side view needs a process per model or a server of one's own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check netron==9.3.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import re
import urllib.request
from pathlib import Path

import netron

addresses = []
for name in ("first", "second"):
    Path(f"{name}.json").write_text(json.dumps({"name": name}), encoding="utf-8")
    addresses.append(netron.serve(f"{name}.json", None, address=("127.0.0.1", 0)))
opened = []
for host, port in addresses:
    page = urllib.request.urlopen(f"http://{host}:{port}/", timeout=30).read().decode()
    opened += re.findall(r'<meta name="file" content="([^"]*)">', page)
print("netron", netron.__version__, "addresses", addresses, "pages open", opened)
assert len(set(addresses)) == 2
assert [Path(name).name for name in opened] == ["second.json", "second.json"]
for address in addresses:
    netron.stop(address)
PYTHON
