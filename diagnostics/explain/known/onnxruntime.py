"""Messages of ONNX Runtime."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows, run, sh
from diagnostics.finding import Level

_GPU = (
    pip("uninstall -y onnxruntime onnxruntime-gpu", "removes both, since they share their files"),
    pip('install "onnxruntime-gpu[cuda,cudnn]"', "installs the one for the GPU with its libraries"),
)

ROWS = rows(
    "onnxruntime",
    row(
        "ort-provider",
        r"Specified provider '(?P<name>\w+)' is not in available provider names\.\s*Available "
        r"providers: '(?P<have>[^']*)'",
        says="This ONNX Runtime has no {name} (only {have}); it runs on the CPU instead.",
        why="The package `onnxruntime` is for the CPU, or it was installed over onnxruntime-gpu.",
        cures=_GPU,
        level=Level.WARN,
    ),
    row(
        "ort-gutted",
        r"module 'onnxruntime' has no attribute '(?P<name>\w+)'",
        says="ONNX Runtime is installed, but empty ({name} is missing).",
        why="onnxruntime and onnxruntime-gpu share one folder; uninstalling one of them takes the "
        "files of both. A folder named onnxruntime does the same.",
        cures=_GPU,
    ),
    row(
        "ort-cuda-libs",
        r"Failed to load library (?P<lib>libonnxruntime_providers_\w+\.so) with error: "
        r"(?P<need>[^\s:]+)",
        r"Failed to create CUDAExecutionProvider\. (?:Please reference|Require "
        r"(?P<need>[^\n.]{1,60}))",
        r"LoadLibrary failed with error 126[^\n]*(?P<lib>onnxruntime_providers_\w+)",
        says="The CUDA provider did not load ({need}); the session runs on the CPU.",
        why="CUDA or cuDNN libraries are missing, or of another major version than this ONNX "
        "Runtime "
        "was built for.",
        cures=(
            pip('install "onnxruntime-gpu[cuda,cudnn]"', "brings the libraries"),
            do("onnxruntime.preload_dlls() before the session", "finds those that torch brings"),
            do("assert session.get_providers()[0] == 'CUDAExecutionProvider'", "fails loudly"),
        ),
        explains=("nvidia-lib-missing",),
    ),
    row(
        "ort-providers-required",
        r"Since ORT 1\.9, you are required to explicitly set the providers parameter",
        says="This build wants to be told which providers to use.",
        why="GPU builds have no default.",
        cures=(do('providers=["CUDAExecutionProvider", "CPUExecutionProvider"]', "names them"),),
    ),
    row(
        "ort-shape",
        r"Got invalid dimensions for input: (?P<name>\S+) for the following indices\s+"
        r"(?:\S+ )?index: (?P<i>\d+) Got: (?P<got>\d+) Expected: (?P<want>\d+)",
        says="Input {name} has size {got} in dimension {i}, the model wants {want}.",
        why="The model was exported with a fixed size there.",
        cures=(
            do("dynamic_shapes={{...}} at export", "makes the dimension free"),
            do("pad or resize the input", "fits the model as it is"),
        ),
    ),
    row(
        "ort-rank",
        r"Invalid rank for input: (?P<name>\S+) Got: (?P<got>\d+) Expected: (?P<want>\d+)",
        says="Input {name} has {got} dimensions, the model wants {want}.",
        why="A batch dimension is missing or extra.",
        cures=(do("array[None]", "adds a batch dimension"),),
    ),
    row(
        "ort-dtype",
        r"Unexpected input data type\. Actual: \(tensor\((?P<got>\w+)\)\) ?, expected: "
        r"\(tensor\((?P<want>\w+)\)\)",
        says="The input is {got}, the model wants {want}.",
        why="NumPy makes float64 and int64 by default.",
        cures=(do("array.astype(np.float32)  # the type for {want}", "converts it"),),
    ),
    row(
        "ort-input-missing",
        r"Required inputs \(\[(?P<want>[^\]]*)\]\) are missing from input feed "
        r"\(\[(?P<got>[^\]]*)\]\)",
        r"Missing Input: (?P<want>\w+)",
        says="The model wants the inputs {want}, and got {got}.",
        why="The names in the feed must be those in the model.",
        cures=(do("[i.name for i in session.get_inputs()]", "lists them"),),
    ),
    row(
        "ort-name",
        r"Invalid (?:input|output|Feed Input|Output) [Nn]ame: ?(?P<name>\S+)",
        says="The model has no input or output called {name}.",
        why="The exporter chose other names.",
        cures=(do("[i.name for i in session.get_inputs() + session.get_outputs()]", "lists them"),),
    ),
    row(
        "ort-no-file",
        r"NO_?SUCH_?FILE : Load model from (?P<path>.{1,200}?) failed",
        says="The model file {path} is not there.",
        why="The path is relative to another folder, or the export failed before.",
        cures=(do("print(pathlib.Path(path).resolve())", "shows where it was looked for"),),
    ),
    row(
        "ort-ir-too-new",
        r"Unsupported model IR version: (?P<got>\d+), max supported IR version: (?P<max>\d+)",
        says="The model's IR version is {got}, this ONNX Runtime reads up to {max}.",
        why="It was written by a newer onnx.",
        cures=(
            pip("install --upgrade onnxruntime", "reads newer files"),
            do("model.ir_version = {max}; onnx.save(model, path)", "lowers the number"),
        ),
    ),
    row(
        "opset-too-new",
        r"Opset (?P<got>\d+) is under development and support for this is limited[\s\S]{0,300}?"
        r"till opset (?P<max>\d+)",
        says="The model uses opset {got}, this ONNX Runtime supports up to {max}.",
        why="It was exported for a newer ONNX.",
        cures=(
            pip("install --upgrade onnxruntime", "supports newer opsets"),
            do("torch.onnx.export(..., opset_version={max})", "exports for this one"),
        ),
    ),
    row(
        "unregistered-op",
        r"No Op registered for (?P<op>\w+) with domain_version of (?P<version>\d+)",
        says="There is no operator {op} in opset {version}.",
        why="The opset is older than the operator, the name is wrong, or it belongs to a custom "
        "domain.",
        cures=(do("export with a higher opset_version", "knows newer operators"),),
        explains=("onnx-checker",),
    ),
    row(
        "ort-unknown-op",
        r"Fatal error: (?P<op>[\w.]+:\w+)\(-?\d+\) is not a registered function/op",
        r"(?<![\w.])(?P<op>[\w.]{1,80}:\w{1,80})\(-?\d+\) is not a registered function/op",
        says="The custom operator {op} is not registered.",
        why="It comes from a library that must be loaded with the session.",
        cures=(
            do("options.register_custom_ops_library(path)", "loads your library"),
            pip("install onnxruntime-extensions", "brings the operators of ai.onnx.contrib"),
        ),
    ),
    row(
        "ort-not-implemented",
        r"Could not find an implementation for (?P<op>\w+)\((?P<version>\d+)\) node with name "
        r"'(?P<name>[^']*)'",
        says="This provider cannot compute {op} (opset {version}) with these types.",
        why="The standard allows the type, the provider has no kernel for it (often integers, "
        "float16 "
        "or double on the CPU).",
        cures=(do("insert Cast nodes, or export in float32", "uses types that have kernels"),),
    ),
    row(
        "ort-graph-broken",
        r"Node input '(?P<name>[^']*)' is not a graph input, initializer, or output of a previous",
        says="The graph uses the value {name}, which nothing in it makes.",
        why="Nodes were removed or renamed after the export, or their order is wrong.",
        cures=(do("onnx.checker.check_model(path) after each edit", "finds the edit"),),
    ),
    row(
        "ort-type",
        r"Type '(?P<type>tensor\(\w+\))' of input parameter \((?P<input>[^)]*)\) of operator "
        r"\((?P<op>\w+)\) in node \((?P<node>[^)]*)\) is invalid",
        says="The operator {op} does not take {type}.",
        why="A Cast is missing, or the model was converted to float16 in part.",
    ),
    row(
        "ort-type-mismatch",
        r"Type parameter \((?P<t>\w+)\) of Optype \((?P<op>\w+)\) bound to different types",
        says="The inputs of {op} have different types.",
        why="A conversion changed one side only, often to float16.",
        cures=(do("convert again with keep_io_types=True", "adds the missing casts"),),
    ),
    row(
        "ort-node-failed",
        r"Non-zero status code returned while running (?P<op>\w+) node\. Name:'(?P<name>[^']*)' "
        r"Status Message: (?P<what>[^\n]{1,200})",
        says="The node {op} ({name}) failed: {what}",
        why="The input does not fit the graph at this place: a size that the exporter fixed, or an "
        "index out of range.",
        cures=(do("run the same input in torch, and compare shapes", "shows where they part"),),
        is_symptom=True,
    ),
    row(
        "ort-memory",
        r"Failed to allocate memory for requested buffer of size (?P<bytes>\d+)",
        says="ONNX Runtime could not allocate {bytes} bytes.",
        why="The device's memory is full; its arena grows in powers of two.",
        cures=(
            do('provider option {{"arena_extend_strategy": "kSameAsRequested"}}', "grows exactly"),
            do("a smaller batch", "needs less"),
        ),
        explains=("ort-node-failed",),
    ),
    row(
        "ort-device-discovery",
        r"GetGpuDevices[^\n]{0,200}[Ff]ailed",
        r"device_discovery\.cc[^\n]{0,200}[Ff]ailed",
        says="ONNX Runtime could not list the GPUs.",
        why="It reads /sys/class/drm, which many containers and machines without GPU lack; "
        "harmless.",
        level=Level.INFO,
    ),
    row(
        "ort-thread-affinity",
        r"pthread_setaffinity_np failed",
        says="ONNX Runtime could not pin its threads.",
        why="The container allows fewer processors than the machine has.",
        cures=(
            do("options.intra_op_num_threads = N", "sets the number, which stops the pinning"),
            sh("nproc", "shows how many processors there are"),
        ),
        level=Level.WARN,
    ),
    row(
        "ort-execution-provider-fallback",
        r"Some nodes were not assigned to the preferred execution providers",
        says="Part of the model runs on the CPU.",
        why="The provider has no kernel for some nodes, or keeps shape arithmetic on the CPU.",
        cures=(run("{python} -m diagnostics model FILE", "shows what the model uses"),),
        level=Level.INFO,
    ),
)
