"""Messages of ONNX Runtime."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows, run, sh
from diagnostics.finding import Level
from diagnostics.tables.onnxruntime_gpu import range_for

_GPU = (
    pip("uninstall -y onnxruntime onnxruntime-gpu", "removes both, since they share their files"),
    pip('install "onnxruntime-gpu[cuda,cudnn]"', "installs the one for the GPU with its libraries"),
)

_TORCH_CUDA = (
    r"(?:\+cu|CUDA used to build PyTorch: |torch\.version\.cuda\W{1,6}|torch \S+ \(?CUDA )"
    r"(?P<torch_major>1[1-4])"
)
"""Where a text tells which CUDA torch was built for."""

_LIBRARY_MAJORS = {
    ("cufft", "10"): "11",
    ("cufft", "11"): "12",
    ("cufft", "12"): "13",
    ("curand", "10"): "",
    ("cusolver", "11"): "",
    ("cusolver", "12"): "13",
}
"""CUDA's major version by library and number, where the two numbers differ."""


def _cuda_major(values: dict[str, str]) -> str:
    """The CUDA major version that the missing library belongs to; empty when it cannot be told."""
    if values.get("major"):
        return values["major"]
    part, number = values.get("part", ""), values.get("number", "")
    if part.startswith(("cudnn", "nvinfer")):
        return ""
    if (part, number) in _LIBRARY_MAJORS:
        return _LIBRARY_MAJORS[part, number]
    return number if part in ("cudart", "cublas", "cublasLt", "cusparse", "nvrtc") else ""


def _both_majors(values: dict[str, str]) -> dict[str, str]:
    major = values.get("torch_major", "")
    built = range_for(int(major)) if major.isdigit() else ""
    return {"major": _cuda_major(values), "range": built}


def _majors_differ(values: dict[str, str]) -> bool:
    major = _cuda_major(values)
    return bool(major) and major != values.get("torch_major")


ROWS = rows(
    "onnxruntime",
    row(
        "ort-provider",
        r"Specified provider '(?P<name>\w+)' is not in available provider names\.\s*Available "
        r"providers: '(?P<have>[^']*)'",
        summary="This ONNX Runtime has no {name} (only {have}); it runs on the CPU instead.",
        cause="The package `onnxruntime` is for the CPU, or it was installed over onnxruntime-gpu.",
        cures=_GPU,
        level=Level.WARN,
    ),
    row(
        "ort-gutted",
        r"module 'onnxruntime' has no attribute '(?P<name>\w+)'",
        summary="ONNX Runtime is installed, but empty ({name} is missing).",
        cause="onnxruntime and onnxruntime-gpu share one folder; uninstalling one of them takes the "
        "files of both. A folder named onnxruntime does the same.",
        cures=_GPU,
    ),
    row(
        "ort-cuda-major",
        r"Failed to load library libonnxruntime_providers_\w+\.so with error: "
        r"(?P<lib>lib(?P<part>\w+?)\.so\.(?P<number>\d+))",
        r"onnxruntime_providers_\w+\.dll\"? which depends on \"(?P<lib>(?P<part>\w+?)64_"
        r"(?P<number>\d+)\.dll)",
        r"Failed to create CUDAExecutionProvider\. Require cuDNN \S+ and CUDA (?P<major>1\d)",
        summary="This ONNX Runtime was built for CUDA {major}, and torch brings CUDA {torch_major}"
        " ({lib} is missing).",
        cause="Both must be built for one CUDA major version. preload_dlls() cannot help: it finds "
        "the libraries that torch brings, which are of the other version. The session runs "
        "on the CPU.",
        cures=(
            pip(
                'install "onnxruntime-gpu{range}" {torch}',
                "brings ONNX Runtime to torch's CUDA, and leaves torch alone",
            ),
            do(
                "take torch for CUDA {major}: pip install torch torchvision --index-url "
                "https://download.pytorch.org/whl/cu{major}x (x: see the index)",
                "brings torch to ONNX Runtime's CUDA",
            ),
            do("assert session.get_providers()[0] == 'CUDAExecutionProvider'", "fails loudly"),
        ),
        context=_TORCH_CUDA,
        when=_majors_differ,
        derive=_both_majors,
        explains=("ort-cuda-libs", "nvidia-lib-missing", "cuda-major-of-package"),
    ),
    row(
        "ort-cuda-libs",
        r"Failed to load library (?P<lib>libonnxruntime_providers_\w+\.so) with error: "
        r"(?P<need>[^\s:]+)",
        r"Failed to create CUDAExecutionProvider\. (?:Please reference|Require "
        r"(?P<need>[^\n.]{1,60}))",
        r"LoadLibrary failed with error 126[^\n]*(?P<lib>onnxruntime_providers_\w+)",
        r"(?P<lib>onnxruntime_providers_\w+)\.dll\"? which depends on \"(?P<need>[^\"\n]+)\" which is "
        r"missing",
        summary="The CUDA provider did not load ({need}); the session runs on the CPU.",
        cause="CUDA or cuDNN libraries are missing, or of another major version than this ONNX "
        "Runtime was built for.",
        cures=(
            pip('install "onnxruntime-gpu[cuda,cudnn]" {torch}', "brings the libraries"),
            do(
                "onnxruntime.preload_dlls() before the session",
                "finds those that torch brings, when both are for one CUDA major version",
            ),
            do("assert session.get_providers()[0] == 'CUDAExecutionProvider'", "fails loudly"),
        ),
        explains=("nvidia-lib-missing", "win-dll-missing"),
    ),
    row(
        "ort-tensorrt-libs",
        r"libonnxruntime_providers_tensorrt\.so with error: (?P<need>libnvinfer[^\s:]*)",
        r"onnxruntime_providers_tensorrt\.dll\"? which depends on \"(?P<need>nvinfer[^\"\n]*)\"",
        r"Please install TensorRT libraries as mentioned in the GPU requirements page",
        summary="TensorRT is not installed in the version that ONNX Runtime needs ({need}).",
        cause="The TensorRT provider is asked for first and needs libnvinfer of one major version; "
        "without it the next provider is used.",
        cures=(
            do('providers=["CUDAExecutionProvider", "CPUExecutionProvider"]', "asks for CUDA only"),
            do("pip install tensorrt-cu13 (or -cu12), of the major version named", "brings it"),
        ),
        explains=("ort-cuda-libs",),
    ),
    row(
        "ort-preload",
        r"Failed to load (?P<lib>[^\s:]*(?:lib)?(?:cu(?:dnn|blas|fft|dart|rand)|nvrtc)\S*?\.(?:so|dll)\S*): ",
        summary="preload_dlls() did not find {lib}.",
        cause="It looks in torch's folder, then in the nvidia-* packages, for the CUDA version that "
        "this ONNX Runtime was built for; torch may bring another one.",
        cures=(
            run(
                "{python} -c 'import onnxruntime; onnxruntime.print_debug_info()'",
                "shows ONNX Runtime's CUDA version and what is loaded",
            ),
            pip('install "onnxruntime-gpu[cuda,cudnn]" {torch}', "brings the libraries it wants"),
            do("import torch first, then onnxruntime", "keeps torch's cuDNN in front"),
        ),
        explains=("nvidia-lib-missing",),
    ),
    row(
        "ort-hub-link",
        # A plain name inside the folder can lead out of it only by being a link.
        r"External data path: \"(?P<file>(?![/\\]|\w:)(?:(?!\.\.)[^\"\n]){1,200})\" escapes model "
        r"directory",
        summary="ONNX Runtime refuses {file}: it is a link that leads out of the model's folder.",
        cause="In the Hub's cache every file is a link into `blobs`. ONNX Runtime 1.24.0 and 1.24.1 "
        "refused links of external data; 1.24.2 follows those of the Hub's cache again.",
        cures=(
            pip("install --upgrade onnxruntime", "follows the links (onnxruntime-gpu likewise)"),
            do("hf download <repo> --local-dir FOLDER", "stores plain files and loads from there"),
            do("snapshot_download(repo, local_dir=FOLDER)", "the same from Python"),
        ),
        explains=("external-data-outside", "external-data-missing"),
        links=("https://github.com/microsoft/onnxruntime/issues/27353",),
    ),
    row(
        "ort-torch-input",
        r"Input must be a list of dictionaries or a single numpy array for input '(?P<name>[^']+)'",
        summary="Input {name} is a torch tensor; ONNX Runtime takes NumPy arrays.",
        cause="session.run copies from NumPy memory.",
        cures=(
            do("x.detach().cpu().numpy()", "gives the array"),
            do("session.io_binding()", "binds a tensor on the GPU without a copy"),
        ),
    ),
    row(
        "ort-duplicate",
        r"Error: Duplicate definition of name \((?P<name>[^)]*)\)",
        r"[Tt]wo nodes with same node name \((?P<name>[^)]*)\)",
        r"single static assignment \(SSA\) form, however '(?P<name>[^']*)' has been used",
        summary="The name {name} is defined twice in the graph.",
        cause="Every value has exactly one producer: two nodes write it, or a node writes an input "
        "or initializer. Usually two models were merged or a node was copied.",
        cures=(
            do("onnx.compose.add_prefix(model, 'a/') before merging", "makes the names differ"),
            do("rename the outputs of the copied node", "gives each value one producer"),
        ),
        explains=("onnx-checker",),
    ),
    row(
        "ort-output-type",
        r"Type \((?P<have>[^\n]{1,60}?)\) of output arg \((?P<name>[^)]*)\) of node "
        r"\((?P<node>[^)]*)\) does not match expected type \((?P<want>[^\n]{1,60}?)\)\.",
        summary="The file says that {name} is {have}, but its node gives {want}.",
        cause="value_info or an output of the graph kept its old type after a conversion, most "
        "often to float16.",
        cures=(
            do("del model.graph.value_info[:]; onnx.save(model, path)", "drops stale types"),
            do("a Cast before the output, or its declared type changed", "for a graph output"),
            do("convert again with keep_io_types=True", "adds the casts"),
        ),
    ),
    row(
        "onnx-attribute",
        r"Unrecognized attribute: (?P<name>\w+) for operator (?P<op>\w+)",
        summary="The operator {op} has no attribute {name} in this opset.",
        cause="The node was written for another opset (attributes become inputs and back, as axes of "
        "Squeeze and ReduceSum did in 13 and 18), or belongs to another domain.",
        cures=(
            do("onnx.version_converter.convert_version(model, OPSET)", "rewrites the nodes"),
            do("export again with the opset that the file declares", "writes fitting nodes"),
        ),
        explains=("onnx-checker",),
    ),
    row(
        "onnx-input-count",
        r"Node with schema\((?P<op>[^)]*)\) has (?P<side>input|output) size (?P<got>\d+) not in range "
        r"\[min=(?P<min>\d+), max=(?P<max>\d+)\]",
        summary="A node of {op} has {got} {side}s, the operator takes {min} to {max}.",
        cause="The node was written for another opset, or an edit dropped an input.",
        cures=(do("export again, or onnx.version_converter.convert_version", "writes it anew"),),
        explains=("onnx-checker",),
    ),
    row(
        "onnx-no-producer",
        r"Graph output \((?P<name>[^)]*)\) does not exist in the graph",
        summary="The graph's output {name} is made by no node.",
        cause="The node that made it was removed or renamed.",
        cures=(do("onnx.utils.extract_model or a renamed output", "names a value that exists"),),
    ),
    row(
        "onnx-cycle",
        r"the graph is not acyclic",
        r"Nodes in a graph must be topologically sorted, however input '(?P<name>[^']*)'",
        summary="The nodes are not in an order in which each input comes first ({name}).",
        cause="An edit put a node before the one it depends on, or made a circle.",
        cures=(
            do("onnx_ir.passes.common.TopologicalSortPass", "puts them in order"),
            do("look for two nodes that feed each other", "a circle cannot be sorted"),
        ),
        explains=("onnx-checker", "ort-graph-broken"),
    ),
    row(
        "ort-conv-bias",
        r"bias must be a 1D tensor of size output_channels \((?P<want>\d+)\)",
        summary="The bias of a Conv does not have {want} values, one for each output channel.",
        cause="The weights of two models were mixed, or channels were pruned without their biases.",
        cures=(run("{python} -m diagnostics model FILE", "names the node"),),
        explains=("ort-node-failed",),
    ),
    row(
        "ort-index-range",
        r"indices element out of data bounds, idx=(?P<got>-?\d+) must be within the inclusive range "
        r"\[(?P<low>-?\d+),(?P<high>-?\d+)\]",
        summary="An index is {got}; the table allows {low} to {high}.",
        cause="A token, label or position lies beyond the table: another tokenizer, or a text longer "
        "than the model's positions.",
        cures=(do("compare input_ids.max() with the vocabulary's size", "finds the index"),),
        explains=("ort-node-failed",),
    ),
    row(
        "ort-reshape",
        r"cannot be reshaped to the requested shape\. Input shape:\{(?P<got>[^}]*)\}, requested shape:"
        r"\{(?P<want>[^}]*)\}",
        summary="A Reshape in the graph wants the shape {want} and got {got}.",
        cause="The exporter fixed a size of its example (often the batch) in the graph.",
        cures=(
            do("dynamic_shapes={{...}} at export; sizes from x.shape in forward", "keeps it open"),
            do("run with the size of the example", "fits the graph as it is"),
        ),
        explains=("ort-node-failed",),
    ),
    row(
        "ort-same-dilation",
        r"Dilation not supported for AutoPadType::SAME",
        summary="ONNX Runtime does not compute a dilated convolution whose padding is left to it (auto_pad SAME).",
        cause="ONNX allows both together; the CPU kernel wants the pads in numbers.",
        cures=(
            do("write the pads into the node, auto_pad NOTSET", "dilation * (kernel - 1) per axis"),
            run("{python} -m diagnostics model FILE", "names the nodes"),
        ),
        explains=("ort-node-failed",),
    ),
    row(
        "ort-broadcast",
        r"Attempting to broadcast an axis by a dimension other than 1\. (?P<a>\d+) by (?P<b>\d+)",
        summary="Two inputs of a node have the sizes {a} and {b}, which do not broadcast.",
        cause="The exporter fixed a size of its example in a constant, e.g. a mask or positions.",
        cures=(do("dynamic_shapes={{...}} at export; make masks from x.shape", "keeps it open"),),
        explains=("ort-node-failed",),
    ),
    row(
        "ort-custom-library",
        r"Failed to load library (?P<lib>(?!libonnxruntime_providers)\S+) with error: ",
        summary="The library of custom operators {lib} did not load.",
        cause="The path is wrong, or a library that it needs is missing.",
        cures=(
            do("onnxruntime_extensions.get_library_path()", "gives the path of that package"),
            sh("ldd {lib}", "shows what is missing"),
        ),
        absent=r"libonnxruntime_providers_\w+\.so with error",
    ),
    row(
        "ort-providers-required",
        r"Since ORT 1\.9, you are required to explicitly set the providers parameter",
        summary="This build wants to be told which providers to use.",
        cause="GPU builds have no default.",
        cures=(do('providers=["CUDAExecutionProvider", "CPUExecutionProvider"]', "names them"),),
    ),
    row(
        "ort-shape",
        r"Got invalid dimensions for input: (?P<name>\S+) for the following indices\s+"
        r"(?:\S+ )?index: (?P<i>\d+) Got: (?P<got>\d+) Expected: (?P<want>\d+)",
        summary="Input {name} has size {got} in dimension {i}, the model wants {want}.",
        cause="The model was exported with a fixed size there.",
        cures=(
            do("dynamic_shapes={{...}} at export", "makes the dimension free"),
            do("pad or resize the input", "fits the model as it is"),
        ),
    ),
    row(
        "ort-rank",
        r"Invalid rank for input: (?P<name>\S+) Got: (?P<got>\d+) Expected: (?P<want>\d+)",
        summary="Input {name} has {got} dimensions, the model wants {want}.",
        cause="A batch dimension is missing or extra.",
        cures=(do("array[None]", "adds a batch dimension"),),
    ),
    row(
        "ort-dtype",
        r"Unexpected input data type\. Actual: \(tensor\((?P<got>\w+)\)\) ?, expected: "
        r"\(tensor\((?P<want>\w+)\)\)",
        summary="The input is {got}, the model wants {want}.",
        cause="NumPy makes float64 and int64 by default.",
        cures=(do("array.astype(np.float32)  # the type for {want}", "converts it"),),
    ),
    row(
        "ort-input-missing",
        r"Required inputs \(\[(?P<want>[^\]]*)\]\) are missing from input feed "
        r"\(\[(?P<got>[^\]]*)\]\)",
        r"Missing Input: (?P<want>\w+)",
        derive=lambda values: {"got": values.get("got") or "none of them"},
        summary="The model wants the inputs {want}; the feed holds {got}.",
        cause="The names in the feed must be those in the model.",
        cures=(do("[i.name for i in session.get_inputs()]", "lists them"),),
    ),
    row(
        "ort-name",
        r"Invalid (?:input|output|Feed Input|Output) [Nn]ame: ?(?P<name>\S+)",
        summary="The model has no input or output called {name}.",
        cause="The exporter chose other names.",
        cures=(do("[i.name for i in session.get_inputs() + session.get_outputs()]", "lists them"),),
    ),
    row(
        "ort-no-file",
        r"NO_?SUCH_?FILE : Load model from (?P<path>.{1,200}?) failed",
        summary="The model file {path} is not there.",
        cause="The path is relative to another folder, or the export failed before.",
        cures=(do("print(pathlib.Path(path).resolve())", "shows where it was looked for"),),
    ),
    row(
        "ort-ir-too-new",
        r"Unsupported model IR version: (?P<got>\d+), max supported IR version: (?P<max>\d+)",
        summary="The model's IR version is {got}, this ONNX Runtime reads up to {max}.",
        cause="It was written by a newer onnx.",
        cures=(
            pip("install --upgrade onnxruntime", "reads newer files"),
            do("model.ir_version = {max}; onnx.save(model, path)", "lowers the number"),
        ),
    ),
    row(
        "opset-too-new",
        r"Opset (?P<got>\d+) is under development and support for this is limited[\s\S]{0,300}?"
        r"till opset (?P<max>\d+)",
        summary="The model uses opset {got}, this ONNX Runtime supports up to {max}.",
        cause="It was exported for a newer ONNX.",
        cures=(
            pip("install --upgrade onnxruntime", "supports newer opsets"),
            do("torch.onnx.export(..., opset_version={max})", "exports for this one"),
        ),
    ),
    row(
        "unregistered-op",
        r"No Op registered for (?P<op>\w+) with domain_version of (?P<version>\d+)",
        summary="There is no operator {op} in opset {version}.",
        cause="The opset is older than the operator, the name is wrong, or it belongs to a custom "
        "domain.",
        cures=(do("export with a higher opset_version", "knows newer operators"),),
        explains=("onnx-checker",),
    ),
    row(
        "ort-unknown-op",
        r"Fatal error: (?P<op>[\w.]+:\w+)\(-?\d+\) is not a registered function/op",
        r"(?<![\w.])(?P<op>[\w.]{1,80}:\w{1,80})\(-?\d+\) is not a registered function/op",
        summary="The custom operator {op} is not registered.",
        cause="It comes from a library that must be loaded with the session.",
        cures=(
            do("options.register_custom_ops_library(path)", "loads your library"),
            pip("install onnxruntime-extensions", "brings the operators of ai.onnx.contrib"),
        ),
    ),
    row(
        "ort-not-implemented",
        r"Could not find an implementation for (?P<op>\w+)\((?P<version>\d+)\) node with name "
        r"'(?P<name>[^']*)'",
        summary="This provider cannot compute {op} (opset {version}) with these types.",
        cause="The standard allows the type, the provider has no kernel for it (often integers, "
        "float16 "
        "or double on the CPU).",
        cures=(do("insert Cast nodes, or export in float32", "uses types that have kernels"),),
    ),
    row(
        "ort-graph-broken",
        r"Node input '(?P<name>[^']*)' is not a graph input, initializer, or output of a previous",
        summary="The graph uses the value {name}, which nothing in it makes.",
        cause="Nodes were removed or renamed after the export, or their order is wrong.",
        cures=(do("onnx.checker.check_model(path) after each edit", "finds the edit"),),
    ),
    row(
        "ort-type",
        r"Type '(?P<type>tensor\(\w+\))' of input parameter \((?P<input>[^)]*)\) of operator "
        r"\((?P<op>\w+)\) in node \((?P<node>[^)]*)\) is invalid",
        summary="The operator {op} does not take {type}.",
        cause="A Cast is missing, or the model was converted to float16 in part.",
    ),
    row(
        "ort-type-mismatch",
        r"Type parameter \((?P<t>\w+)\) of Optype \((?P<op>\w+)\) bound to different types",
        summary="The inputs of {op} have different types.",
        cause="A conversion changed one side only, often to float16.",
        cures=(do("convert again with keep_io_types=True", "adds the missing casts"),),
    ),
    row(
        "ort-node-failed",
        r"Non-zero status code returned while running (?P<op>\w+) node\. Name:'(?P<name>[^']*)' "
        r"Status Message: (?P<what>[^\n]{1,200})",
        summary="The node {op} ({name}) failed: {what}",
        cause="The input does not fit the graph at this place: a size that the exporter fixed, or an "
        "index out of range.",
        cures=(do("run the same input in torch, and compare shapes", "shows where they part"),),
        is_symptom=True,
    ),
    row(
        "ort-memory",
        r"Failed to allocate memory for requested buffer of size (?P<bytes>\d+)",
        summary="ONNX Runtime could not allocate {bytes} bytes.",
        cause="The device's memory is full; its arena grows in powers of two.",
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
        summary="ONNX Runtime could not list the GPUs.",
        cause="It reads /sys/class/drm, which many containers and machines without GPU lack; "
        "harmless.",
        level=Level.INFO,
    ),
    row(
        "ort-thread-affinity",
        r"pthread_setaffinity_np failed",
        summary="ONNX Runtime could not pin its threads.",
        cause="The container allows fewer processors than the machine has.",
        cures=(
            do("options.intra_op_num_threads = N", "sets the number, which stops the pinning"),
            sh("nproc", "shows how many processors there are"),
        ),
        level=Level.WARN,
    ),
    row(
        "ort-execution-provider-fallback",
        r"Some nodes were not assigned to the preferred execution providers",
        summary="Part of the model runs on the CPU.",
        cause="The provider has no kernel for some nodes, or keeps shape arithmetic on the CPU.",
        cures=(run("{python} -m diagnostics model FILE", "shows what the model uses"),),
        level=Level.INFO,
    ),
)
