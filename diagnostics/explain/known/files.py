"""Messages about model files: damaged, incomplete, or not what they seem."""

from __future__ import annotations

from diagnostics.explain.row import do, row, rows, run

_LOOK = run("{python} -m diagnostics model FILE", "says from its bytes what is wrong with it")

ROWS = rows(
    "files",
    row(
        "lfs-pointer",
        r"version https://git-lfs\.github\.com/spec/v1",
        r"File contains Git LFS (?:header|pointer)",
        summary="The file is a Git LFS pointer, not the model.",
        cause="The repository was cloned without Git LFS.",
        cures=(
            run("git lfs install", "lets git fetch large files"),
            run("git lfs pull", "fetches the real file"),
        ),
        explains=("netron-bad-content", "model-truncated"),
    ),
    row(
        "model-truncated",
        r"INVALID_PROTOBUF[\s\S]{0,200}?[Pp]rotobuf parsing failed",
        r"Error parsing message with type 'onnx\.\w+'",
        r"Unable to parse proto from file",
        r"google\.protobuf\.message\.DecodeError",
        r"No graph was found in the protobuf",
        summary="The model file cannot be read as ONNX.",
        cause="It is cut off, a Git LFS pointer, a web page, or another format.",
        cures=(_LOOK, do("export or download it again", "replaces it")),
    ),
    row(
        "external-data-missing",
        r"External data path does not exist",
        r"should be stored in (?P<file>\S+), but it (?:is not regular file|doesn't exist)",
        r"External data path for model loaded from bytes escapes working directory",
        r"GetFileLength[^\n]{0,60}failed[^\n]{0,100}\.data\b",
        summary="The model's weights file is not beside it.",
        cause="Large models (and torch.onnx.export's new exporter always) store weights in a "
        "second file, "
        "such as model.onnx.data; it was not copied, or was renamed.",
        cures=(
            do("copy both files into one folder, with their names", "lets the model find them"),
            do("torch.onnx.export(..., external_data=False)", "writes one file, below 2 GB"),
            _LOOK,
        ),
        explains=("onnx-checker",),
        links=("https://github.com/pytorch/pytorch/issues/126479",),
    ),
    row(
        "external-data-outside",
        r"External data path escapes model directory",
        r"should be file inside '(?P<folder>[^']*)', but '(?P<path>[^']*)' points outside",
        r"External data path validation failed for initializer: (?P<name>\S+)\. Error: "
        r"External data "
        r"path (?:must be relative|is absolute)",
        r"absolute path is not allowed",
        summary="The model points to a weights file outside its folder.",
        cause="Readers refuse that for safety.",
        cures=(
            do(
                "onnx.save(onnx.load(path, load_external_data=False), ...) with a plain name",
                "fixes",
            ),
            do("put the weights file beside the model", "is where readers look"),
        ),
        explains=("onnx-checker", "external-data-missing"),
    ),
    row(
        "external-data-short",
        r"out of bounds or can not be read in full",
        r"External initializer: (?P<name>\S+) offset: \d+ size to read: \d+",
        summary="The weights file is shorter than the model says.",
        cause="It is cut off or belongs to another export.",
        cures=(_LOOK, do("export again; copy both files together", "makes them a pair")),
    ),
    row(
        "pt2-version",
        r"Archive version[^\n]{0,80}(?:does not match|newer|mismatch)",
        r"[Ss]chema version[^\n]{0,80}(?:does not match|newer|mismatch)",
        r"ExportedProgram[^\n]{0,80}schema version",
        summary="The exported program was written by another torch.",
        cause="The .pt2 format has a schema version.",
        cures=(do("export it again with the torch that loads it", "writes what it reads"),),
    ),
)
