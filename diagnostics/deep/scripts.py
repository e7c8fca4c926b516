"""What each trial runs in the examined Python: 3.9 syntax; prints one JSON line when it is done."""

from __future__ import annotations

PRELUDE = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
def done(**values):
    print("\\n@@" + json.dumps({k: str(v) for k, v in values.items()}), flush=True)
def wrong(text):
    print("\\n@@" + json.dumps({"wrong": str(text)}), flush=True); sys.exit(0)
def unavailable(text):
    print("\\n@@" + json.dumps({"unavailable": str(text)}), flush=True); sys.exit(0)
"""

IMPORT = """
import importlib
module = importlib.import_module({name!r})
if getattr(module, "__file__", None) is None:
    raise ImportError({name!r} + " is an empty namespace package: " + str(list(module.__path__)))
done(version=getattr(module, "__version__", ""), file=module.__file__)
"""

MATMUL = """
import torch
torch.manual_seed(0)
names = ["cpu"] + ["cuda:%d" % i for i in range(torch.cuda.device_count())]
bounds = {"float64": 1e-12, "float32": 2e-5, "bfloat16": 5e-2, "float16": 8e-3}
a = torch.randn(96, 256, dtype=torch.float64); b = torch.randn(256, 64, dtype=torch.float64)
reference = a @ b
if not torch.isfinite(reference).all() or abs(float((a * a).sum()) / a.numel() - 1) > 0.1:
    wrong("float64 numbers on the CPU are wrong")
shown = {}
for device in names:
    for name, bound in bounds.items():
        kind = getattr(torch, name)
        product = (a.to(device, kind) @ b.to(device, kind)).to("cpu", torch.float64)
        error = float((product - reference).abs().max() / reference.abs().max())
        shown[device + " " + name] = "%.1e" % error
        if not error <= bound:
            wrong("%s on %s differs from float64 by %.1e, at most %.0e expected" % (name, device, error, bound))
done(**shown)
"""

CUDA = """
import torch
if torch.version.cuda is None:
    unavailable("torch is built without CUDA")
warnings.simplefilter("default")
if not torch.cuda.is_available():
    torch.zeros(1, device="cuda")
x = torch.ones(1000, device="cuda"); torch.cuda.synchronize()
if float(x.sum()) != 1000:
    wrong("a sum of 1000 ones on the GPU is %r" % float(x.sum()))
done(devices=torch.cuda.device_count(), name=torch.cuda.get_device_name(0),
     cudnn=torch.backends.cudnn.version(), architectures=" ".join(torch.cuda.get_arch_list()))
"""

AUTOGRAD = """
import torch
w = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
(w ** 3).sum().backward()
expected = 3 * w.detach() ** 2
if not torch.allclose(w.grad, expected):
    wrong("gradient %s, expected %s" % (w.grad.tolist(), expected.tolist()))
conv = torch.nn.Conv2d(3, 4, 3); loss = conv(torch.randn(2, 3, 8, 8)).square().mean(); loss.backward()
if not torch.isfinite(conv.weight.grad).all():
    wrong("the gradient of a convolution is not finite")
done(threads=torch.get_num_threads())
"""

NMS = """
import torch, torchvision
boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]])
kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist()
if kept != [0, 2]:
    wrong("nms kept %s, expected [0, 2]" % kept)
done(kept=kept)
"""

DATALOADER = """
import torch
from torch.utils.data import DataLoader, TensorDataset
if __name__ == "__main__":
    loader = DataLoader(TensorDataset(torch.arange(64.0)), batch_size=8, num_workers=2, timeout=20)
    total = sum(float(batch[0].sum()) for batch in loader)
    if total != 2016.0:
        wrong("the workers delivered a sum of %r, expected 2016" % total)
    done(workers=2, strategy=torch.multiprocessing.get_sharing_strategy())
"""

EXPORT = """
import tempfile, torch
class Small(torch.nn.Module):
    def __init__(self):
        super().__init__(); self.line = torch.nn.Linear(4, 3)
    def forward(self, x):
        return torch.relu(self.line(x))
torch.manual_seed(0)
model, x = Small().eval(), torch.randn(2, 4)
folder = tempfile.mkdtemp(); path = os.path.join(folder, "small.onnx")
try:
    try:
        torch.onnx.export(model, (x,), path, dynamo=True, verbose=False)
    except TypeError:
        torch.onnx.export(model, (x,), path)
    import onnx
    onnx.checker.check_model(path)
    try:
        import onnxruntime
    except ImportError:
        done(exported="yes"); sys.exit(0)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    got = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    error = float(abs(torch.from_numpy(got) - model(x).detach()).max())
    if not error < 1e-5:
        wrong("ONNX Runtime differs from torch by %.1e" % error)
    done(exported="yes", difference="%.1e" % error)
finally:
    import shutil; shutil.rmtree(folder, ignore_errors=True)
"""

# y = x + x as ModelProto bytes (IR 8, opset 13), so that ONNX Runtime is tried without onnx.
ONNXRUNTIME = """
import onnxruntime as ort, numpy
if not hasattr(ort, "InferenceSession"):
    raise ImportError("onnxruntime has no InferenceSession: its files are gone")
def field(number, payload):
    return bytes([number << 3 | 2, len(payload)]) + payload
shape = field(2, field(1, bytes([8, 2])))
def value(name):
    return field(1, name) + field(2, field(1, bytes([8, 1]) + shape))
node = field(1, b"x") + field(1, b"x") + field(2, b"y") + field(4, b"Add")
graph = field(1, node) + field(2, b"g") + field(11, value(b"x")) + field(12, value(b"y"))
model = bytes([8, 8]) + field(7, graph) + field(8, bytes([0x10, 13]))
if hasattr(ort, "preload_dlls"):
    try:
        ort.preload_dlls()
    except Exception:
        pass
shown = {}
skipped = ("TensorrtExecutionProvider", "AzureExecutionProvider", "NvTensorRTRTXExecutionProvider")
for provider in ort.get_available_providers():
    if provider in skipped:
        continue
    if provider == "CUDAExecutionProvider" and not os.path.exists("/dev/nvidiactl"):
        shown[provider] = "no device"; continue
    session = ort.InferenceSession(model, providers=[provider])
    used = session.get_providers()[0]
    if used != provider:
        wrong("a session for %s silently runs on %s" % (provider, used))
    got = session.run(None, {"x": numpy.array([1.5, -2.0], dtype=numpy.float32)})[0].tolist()
    if got != [3.0, -4.0]:
        wrong("%s computed %s, expected [3.0, -4.0]" % (provider, got))
    shown[provider] = "ok"
done(**shown)
"""

NETRON = """
import netron, urllib.request, tempfile, socket
probe = socket.socket(); probe.bind(("127.0.0.1", 0)); port = probe.getsockname()[1]; probe.close()
folder = tempfile.mkdtemp(); path = os.path.join(folder, "m.json")
with open(path, "w") as file:
    file.write("{}")
address = netron.start(path, address=("127.0.0.1", port), browse=False)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
page = opener.open("http://%s:%d/" % (address[0], address[1]), timeout=10).read()
netron.stop(address)
if b"netron" not in page.lower():
    wrong("Netron's page does not mention Netron")
done(address="%s:%d" % (address[0], address[1]))
"""

COMPILE = """
import torch, tempfile
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.mkdtemp())
from torch._inductor import config
if hasattr(config, "cpp_cache_precompile_headers"):
    config.cpp_cache_precompile_headers = False
def f(x):
    return (x.sin() + 1).relu().sum()
x = torch.arange(16.0)
got, expected = float(torch.compile(f)(x)), float(f(x))
if abs(got - expected) > 1e-4:
    wrong("compiled %r, eager %r" % (got, expected))
done(difference="%.1e" % abs(got - expected))
"""

GLOO = """
import datetime, tempfile, torch, torch.distributed as dist
for name in ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK"):
    os.environ.pop(name, None)
if not dist.is_available():
    unavailable("torch is built without distributed")
def init(backend):
    store = tempfile.NamedTemporaryFile(delete=False).name; os.unlink(store)
    dist.init_process_group(backend, init_method="file://" + store, rank=0, world_size=1,
                            timeout=datetime.timedelta(seconds=20))
    x = torch.ones(4, device="cuda" if backend == "nccl" else "cpu"); dist.all_reduce(x)
    if x.tolist() != [1.0] * 4:
        wrong("all_reduce over one process gave %s" % x.tolist())
    dist.destroy_process_group()
init("gloo")
if torch.cuda.is_available() and dist.is_nccl_available():
    init("nccl"); done(gloo="ok", nccl="ok")
else:
    done(gloo="ok", nccl="no GPU")
"""

EXTENSION = """
import shutil, subprocess, sysconfig, tempfile, torch, ctypes
from torch.utils import cpp_extension
compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
if not compiler:
    raise RuntimeError("No working C++ compiler found: g++ is not on the path")
folder = tempfile.mkdtemp()
source, target = os.path.join(folder, "t.cpp"), os.path.join(folder, "t.so")
with open(source, "w") as file:
    file.write('#include <Python.h>\\n#include <torch/csrc/inductor/aoti_torch/c/shim.h>\\n'
               'extern "C" int cpu() { return aoti_torch_device_type_cpu(); }\\n'
               'extern "C" int twice(int x) { return 2 * x; }\\n')
include = cpp_extension.include_paths() + [sysconfig.get_path("include")]
library = os.path.join(os.path.dirname(torch.__file__), "lib")
command = compiler.split() + ["-shared", "-fPIC", "-std=c++20", source, "-o", target]
command += ["-I" + path for path in include] + ["-L" + library, "-ltorch_cpu", "-lc10"]
try:
    built = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if built.returncode:
        raise RuntimeError("Error building extension: " + built.stderr.decode(errors="replace")[:400])
    module = ctypes.CDLL(target)
    if module.twice(21) != 42 or module.cpu() != 0:
        wrong("the built library computes wrong numbers")
    done(compiler=compiler)
finally:
    shutil.rmtree(folder, ignore_errors=True)
"""

TRANSFORMERS = """
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from transformers import BertConfig, BertModel
torch.manual_seed(0)
config = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                    intermediate_size=16, vocab_size=32)
out = BertModel(config).eval()(torch.tensor([[1, 2, 3]])).last_hidden_state
if tuple(out.shape) != (1, 3, 16) or not torch.isfinite(out).all():
    wrong("a tiny BERT gave %s" % (tuple(out.shape),))
done(shape=tuple(out.shape))
"""
