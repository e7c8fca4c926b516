"""Messages of the ONNX exporter and of the onnx library."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows
from diagnostics.finding import Level

ROWS = rows(
    "export",
    row(
        "onnxscript-missing",
        r"No module named 'onnxscript'",
        summary="The ONNX exporter needs the package onnxscript.",
        cause="Since torch 2.9 torch.onnx.export uses the new exporter by default.",
        cures=(pip("install onnx onnxscript", "installs what it needs"),),
        explains=("onnx-export-failed",),
    ),
    row(
        "onnx-missing",
        r"Module onnx is not installed",
        summary="The package onnx is missing.",
        cause="torch.onnx.export writes with it.",
        cures=(pip("install onnx", "installs it"),),
        explains=("module-missing",),
    ),
    row(
        "onnx-custom-op",
        r"Exporting the operator '?(?P<op>(?!aten::|prims?::|quantized::|torchvision::)\w+::\w+)'? to ONNX opset",
        r"No ONNX function found for <OpOverload\(op='(?P<op>(?!aten\.|prims?\.|quantized\.|torchvision\.)\w+\.\w+)",
        summary="The operator {op} is a library's own, and no exporter knows its ONNX form.",
        cause="ONNX has forms for PyTorch's operators; one of a library needs a translation, or a decomposition.",
        cures=(
            do(
                "torch.onnx.export(..., dynamo=True, custom_translation_table={{...}})",
                "gives your own translation",
            ),
            do("replace the operator by PyTorch's own", "is exportable"),
        ),
        explains=("onnx-export-failed", "onnx-unsupported-op"),
    ),
    row(
        "onnx-unsupported-op",
        r"Exporting the operator '?(?P<op>[\w:]+)'? to ONNX opset version (?P<opset>\d+) is not supp",
        r"No ONNX function found for <OpOverload\(op='(?P<op>[\w.]+)'",
        r"Unsupported: ONNX export of operator (?P<op>[\w ,]+)",
        summary="The operator {op} has no ONNX form in this exporter.",
        cause="Each exporter and opset covers a set of operators.",
        cures=(
            do("torch.onnx.export(..., dynamo=True, opset_version=20)", "newer: covers more"),
            do("replace the operator by simpler ones", "is exportable"),
            do("custom_translation_table={{...}}", "gives your own translation"),
        ),
        explains=("onnx-export-failed",),
    ),
    row(
        "export-cache-output",
        r"Found <class '(?P<type>transformers\.[\w.]*Cache)'> in output, which is not a known type",
        r"unrecognized type UserDefinedObjectVariable\((?P<type>\w*Cache)\) at output",
        r"received an input of unsupported type: (?P<type>\w*Cache)",
        r"but instead got value of type (?P<type>\w*Cache)\b",
        summary="The model returns a {type}, which a traced graph cannot return.",
        cause="transformers' decoders return their key-value cache by default.",
        cures=(
            do("model(..., use_cache=False), or model.config.use_cache = False", "returns none"),
            do(
                "a wrapper module whose forward returns model(...).logits",
                "returns a tensor only",
            ),
            do("optimum-cli export onnx --model <repo> FOLDER", "exports the cache as inputs"),
        ),
        explains=("onnx-export-failed", "jit-trace-type", "jit-trace-branch"),
    ),
    row(
        "proto-serialize",
        r"[Ff]ailed to serialize proto",
        r"EncodeError: Failed to serialize",
        summary="The ONNX model is larger than a protobuf message may be (2 GiB).",
        cause="All weights are inside the message.",
        cures=(
            do(
                "onnx.save(model, path, save_as_external_data=True, location='model.onnx.data')",
                "stores the weights beside the model",
            ),
            do("torch.onnx.export(..., external_data=True)", "does so at export"),
            do("onnx.checker.check_model(path), with the path", "checks without serializing"),
        ),
        explains=("onnx-too-large",),
    ),
    row(
        "onnx-export-failed",
        r"Failed to export the model with torch\.export",
        r"Failed to convert the exported program to an ONNX model",
        r"Failed to decompose the FX graph for ONNX compatibility",
        summary="The ONNX export failed.",
        cause="The message under `Exception summary` says why.",
        cures=(do("torch.onnx.export(..., report=True)", "writes a report of each step"),),
        is_symptom=True,
    ),
    row(
        "onnx-too-large",
        r"The serialized model is larger than the 2GiB limit",
        r"exceeds maximum protobuf size of 2GB",
        r"Message onnx\.ModelProto exceeds maximum protobuf size",
        summary="The model does not fit into one ONNX file (2 GiB).",
        cause="A protobuf message cannot be larger; weights must lie beside it.",
        cures=(
            do("torch.onnx.export(..., external_data=True)", "stores weights beside the model"),
        ),
    ),
    row(
        "onnx-version-converter",
        r"No Adapter (?:To|From) Version \$?(?P<version>\d+) for (?P<op>\w+)",
        summary="The opset converter cannot convert {op}.",
        cause="onnx has no adapter for this step.",
        cures=(do("export again with the opset you want", "needs no conversion"),),
    ),
    row(
        "onnx-mapping-removed",
        r"No module named 'onnx\.mapping'",
        r"cannot import name 'mapping' from 'onnx'",
        r"module 'onnx' has no attribute 'mapping'",
        summary="A package uses onnx.mapping, which newer onnx no longer has.",
        cause="It was replaced by onnx.helper functions.",
        cures=(
            pip('install "onnx<1.19"', "brings it back"),
            do("upgrade the package that imports it", "is the better cure"),
        ),
    ),
    row(
        "onnx-dynamic-axes",
        r"'?dynamic_axes'? is not recommended when dynamo=True",
        summary="dynamic_axes belongs to the old exporter.",
        cause="The new one takes dynamic_shapes; the old argument is converted and may be wrong.",
        cures=(do("dynamic_shapes={{'x': {{0: torch.export.Dim.AUTO}}}}", "says it the new way"),),
        level=Level.WARN,
    ),
    row(
        "onnx-checker",
        r"onnx_cpp2py_export\.checker\.ValidationError: (?P<what>[^\n]{1,200})",
        summary="The onnx checker finds the model invalid: {what}",
        cause="The graph breaks a rule of the ONNX standard.",
        is_symptom=True,
    ),
    row(
        "onnx-shape-inference",
        r"\[ShapeInferenceError\] (?P<what>[^\n]{1,200})",
        r"onnx_cpp2py_export\.shape_inference\.InferenceError: (?P<what>[^\n]{1,200})",
        summary="Shapes in the graph contradict each other: {what}",
        cause="A fixed shape in the graph does not fit its input, often after editing or a "
        "wrong opset.",
    ),
    row(
        "onnx-output-mismatch",
        r"Mismatched elements: (?P<n>\d+) / (?P<of>\d+)[\s\S]{0,200}?(?:relative|absolute) "
        r"difference",
        summary="{n} of {of} values differ from what was expected.",
        cause="Precision, eval mode (dropout, batch norm) or a conversion error.",
        cures=(
            do("model.eval() before the export; compare in float32", "removes the usual causes"),
        ),
    ),
)
