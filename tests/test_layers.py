"""What the parent may import, and what the layers may know of each other."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = {
    *("torch", "torchvision", "transformers", "onnx", "onnxruntime", "onnxscript", "netron"),
    *("numpy", "scipy", "sklearn", "plotly", "sqlalchemy", "tokenizers", "safetensors"),
    "segmentation_models_pytorch",
}
PROBE = """
import sys, pytest
class Probe:
    def pytest_collection_finish(self, session):
        print("COLLECTED", len(session.items), sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(pytest.main([*sys.argv[1:], "--collect-only", "-q"], plugins=[Probe()]))
"""


def collected(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("COLLECTED"))
    _, count, names = line.split(" ", 2)
    return int(count), set(eval(names))


def test_collecting_the_whole_catalogue_imports_no_heavy_library():
    count, modules = collected("bench")
    assert count >= 28 * 2 * 3
    assert not modules & HEAVY


def test_collecting_suite_and_diagnostics_imports_no_heavy_library():
    for folder in ("suite", "diagnostics"):
        count, modules = collected(folder)
        assert count >= 28
        assert not modules & HEAVY


def test_the_doctor_alone_imports_neither_rich_nor_ours():
    script = "import diagnostics.gather, diagnostics.doctor, sys; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = {name.partition(".")[0] for name in eval(done.stdout)}
    assert not names & (HEAVY | {"rich", "suite", "bench", "pytest", "psutil"})
