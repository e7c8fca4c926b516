"""Messages of Netron."""

from __future__ import annotations

from diagnostics.explain.row import do, row, rows, run

ROWS = rows(
    "netron",
    row(
        "netron-port",
        r"OSError: \[Errno (?:98|48)\] Address already in use",
        r"error while attempting to bind on address \('(?P<host>[^']*)', (?P<port>\d+)\): "
        r"address alr",
        summary="The port is in use by another program.",
        cause="An earlier server still runs, or another program has the port.",
        cures=(
            run("netron model.onnx --port 8081", "takes another port (Netron)"),
            do("ss -ltnp", "shows who has the port"),
        ),
    ),
    row(
        "netron-bad-content",
        r"Error loading model\. (?P<what>[^\n]{1,200})",
        r"Invalid file content\. (?P<what>[^\n]{1,200})",
        r"Unsupported file content(?P<what>[^\n]{0,100})",
        summary="Netron cannot read the file: {what}",
        cause="It is cut off, a pointer or web page, or a format that Netron does not know.",
        cures=(run("{python} -m diagnostics model FILE", "says from its bytes what it is"),),
        links=("https://github.com/lutzroeder/netron/issues/463",),
    ),
    row(
        "netron-too-large",
        r"Array buffer allocation failed",
        r"Invalid typed array length",
        r"Invalid array buffer length",
        summary="The model is too large for the browser.",
        cause="Browsers cannot hold files of several gigabytes in one piece.",
        cures=(
            do("onnx.save(model, path, save_as_external_data=True)", "leaves the graph small"),
            do("open the .onnx without its .data beside it", "shows the graph only"),
        ),
        links=("https://github.com/lutzroeder/netron/issues/549",),
    ),
    row(
        "netron-no-file",
        r"No such file or directory: '(?P<path>[^']+\.(?:onnx|tflite|mlmodel|pb|h5))'",
        summary="The model file {path} is not there.",
        cause="The path is relative to another folder.",
        cures=(run("ls -l {path}", "looks for it"),),
    ),
    row(
        "netron-no-display",
        r"could not locate runnable browser",
        summary="There is no browser on this machine.",
        cause="Netron opens the system's browser; a server has none.",
        cures=(
            do(
                "netron.start(path, browse=False), then an SSH tunnel to the port",
                "views it remotely",
            ),
        ),
    ),
)
