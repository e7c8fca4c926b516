"""Messages of loading weights: state dicts, pickles, archives and damaged files."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows, run

_LFS = (
    run("git lfs install", "lets git fetch large files"),
    run("git lfs pull", "fetches the real file in place of the pointer"),
)
_AGAIN = do("download or copy the file again and compare its size", "replaces the damaged file")

ROWS = rows(
    "checkpoints",
    row(
        "module-prefix",
        r"(?:Missing|Unexpected) key\(s\) in "
        r"state_dict:[^\n]{0,200}\"(?P<prefix>module|_orig_mod)\.",
        summary="The names in the checkpoint carry the prefix `{prefix}.` and the model's do not (or "
        "the reverse).",
        cause="It was saved from a wrapped model: DataParallel adds `module.`, torch.compile "
        "`_orig_mod.`.",
        cures=(
            do(
                "model.load_state_dict({{k.removeprefix('"
                "{prefix}.'): v for k, v in state.items()}})",
                "takes the prefix off",
            ),
        ),
        explains=("state-dict",),
    ),
    row(
        "classifier-size",
        r"size mismatch for (?P<name>[\w.]*(?:fc|classifier|head|heads|score|cls_score|bbox_pred|"
        r"out_proj|logits|predictions?|qa_outputs|last_linear|decoder)[\w.]*): copying a "
        r"param with "
        r"shape (?:torch\.Size\()?(?P<got>\[[^\]]*\])\)? from checkpoint, the shape in current "
        r"model is (?:torch\.Size\()?(?P<want>\[[^\]]*\])",
        summary="The checkpoint's last layer {name} has shape {got}, the model's {want}.",
        cause="The number of classes differs between the checkpoint and this model.",
        cures=(
            do("load with the old number of classes, then replace the layer", "keeps the body"),
            do("from_pretrained(..., ignore_mismatched_sizes=True)", "in transformers"),
        ),
        explains=("state-dict", "state-dict-size"),
    ),
    row(
        "state-dict-size",
        r"size mismatch for (?P<name>[\w.]+): copying a param with shape (?:torch\.Size\()?"
        r"(?P<got>\[[^\]]*\])\)? from checkpoint, the shape in current model is (?:torch\.Size\()?"
        r"(?P<want>\[[^\]]*\])",
        summary="{name} has shape {got} in the checkpoint and {want} in the model.",
        cause="The model was built with another width, vocabulary or number of classes.",
        cures=(
            do("build the model with the checkpoint's configuration", "makes the shapes equal"),
        ),
        explains=("state-dict",),
    ),
    row(
        "state-dict",
        r"Error\(s\) in loading state_dict for (?P<model>\w+)",
        summary="The checkpoint does not fit the model {model}.",
        cause="Names or shapes differ: another architecture or version, or the weights lie one level "
        "deeper (checkpoint['model'], ['state_dict']).",
        cures=(
            do("print(list(checkpoint)[:5], list(model.state_dict())[:5])", "shows both sides"),
            do("missing, unexpected = model.load_state_dict(state, strict=False)", "lists them"),
        ),
    ),
    row(
        "checkpoint-lfs",
        r"Weights only load failed[\s\S]{0,1200}?Unsupported operand 118",
        r"invalid load key, 'v'",
        summary="The weights file is a Git LFS pointer, not the weights.",
        cause="The repository was cloned without Git LFS: the file is a few lines of text that begin "
        "with `version`.",
        cures=_LFS,
        explains=("weights-only",),
    ),
    row(
        "checkpoint-html",
        r"Weights only load failed[\s\S]{0,1200}?Unsupported operand 60",
        r"invalid load key, '<'",
        summary="The weights file is a web page.",
        cause="The download saved an error or login page under the file's name.",
        cures=(_AGAIN,),
        explains=("weights-only",),
    ),
    row(
        "weights-only",
        r"Weights only load failed(?:[\s\S]{0,1500}?Unsupported global: GLOBAL (?P<name>[\w.]+))?",
        summary="The file holds more than weights ({name}), and torch.load refuses it.",
        cause="Since torch 2.6 only plain tensors are read by default, because a pickle can "
        "run code.",
        cures=(
            do(
                "torch.serialization.add_safe_globals([{name}])",
                "allows this class, if you trust it",
            ),
            do(
                'torch.load(path, map_location="cpu", weights_only=False)',
                "runs any code in it: only for your own files; loads on any machine",
            ),
            do("torch.save(model.state_dict(), path)", "saves plain weights next time"),
        ),
    ),
    row(
        "checkpoint-invalid-key",
        r"invalid load key, '(?P<key>[^'v<]{1,6})'",
        summary="The file is no pickle (it begins with {key}).",
        cause="It is another format (safetensors, an archive, NumPy), or damaged.",
        cures=(
            run("{python} -m diagnostics model FILE", "says what the file is"),
            _AGAIN,
        ),
    ),
    row(
        "checkpoint-truncated",
        r"PytorchStreamReader failed (?:reading zip archive|locating file|reading file)[^\n]{0,80}",
        r"unexpected EOF, expected (?P<more>\d+) more bytes\. The file might be corrupted",
        r"ValueError: negative seek value -\d+",
        r"EOFError: Ran out of input",
        r"failed finding central directory",
        r"zipfile\.BadZipFile: (?:File is not a zip file|Bad magic number)",
        summary="The weights file is incomplete.",
        cause="A download or a save was interrupted, or the disk was full.",
        cures=(_AGAIN,),
    ),
    row(
        "checkpoint-hash",
        r"invalid hash value \(expected \"(?P<want>\w+)\", got \"(?P<got>\w+)\"\)",
        summary="The downloaded weights have the wrong checksum.",
        cause="The download was cut off or answered with something else.",
        cures=(
            do("delete the file in ~/.cache/torch/hub/checkpoints and try again", "fetches it"),
        ),
    ),
    row(
        "checkpoint-cuda-on-cpu",
        r"Attempting to deserialize object on a CUDA device but torch\.cuda\.is_available\(\) "
        r"is False",
        r"Attempting to deserialize object on CUDA device (?P<device>\d+) but "
        r"torch\.cuda\.device_count\(\) is \d+",
        summary="The weights were saved on a GPU that is not here.",
        cause="torch.load puts tensors back where they were.",
        cures=(do('torch.load(path, map_location="cpu")', "loads them on the CPU"),),
    ),
    row(
        "checkpoint-class-missing",
        r"Can't get attribute '(?P<name>\w+)' on <module '(?P<module>[\w.]+)'",
        summary="The file was saved as a whole object; its class {name} is not in {module} here.",
        cause="A pickle stores only the name of the class.",
        cures=(
            do("import or define {name} before loading; save state_dict() next time", "finds it"),
        ),
    ),
    row(
        "checkpoint-missing",
        r"No such file or directory: '(?P<path>[^']+\.(?:pt|pth|ckpt|bin|safetensors|pt2|pkl))'",
        summary="The weights file {path} is not there.",
        cause="The path is relative to another folder, or the file was never saved.",
        cures=(run("ls -l {path}", "looks for it from this folder"),),
    ),
    row(
        "safetensors-header",
        r"SafetensorError: Error while deserializing(?: header)?: (?:[Hh]eader ?[Tt]oo ?[Ll]arge|"
        r"[Ii]nvalid ?[Hh]eader|header too small|HeaderTooSmall)",
        summary="The file is no safetensors file.",
        cause="Its first bytes are no header length: a Git LFS pointer, a web page, or another "
        "format.",
        cures=(
            run("{python} -m diagnostics model FILE", "says what the file is"),
            *_LFS,
        ),
    ),
    row(
        "safetensors-truncated",
        r"SafetensorError: Error while deserializing(?: header)?: (?:MetadataIncompleteBuffer|"
        r"incomplete metadata, file not fully covered)",
        summary="The safetensors file is incomplete.",
        cause="The header promises more bytes than there are: an interrupted download or copy.",
        cures=(_AGAIN,),
    ),
    row(
        "safetensors-shared",
        r"Some tensors share memory, this will lead to duplicate memory on disk",
        summary="Tied weights cannot be saved twice.",
        cause="safetensors stores each memory once.",
        cures=(do("safetensors.torch.save_model(model, path)", "knows tied weights"),),
    ),
    row(
        "safetensors-contiguous",
        r"You are trying to save a non contiguous tensor: `(?P<name>[^`]+)`",
        summary="The tensor {name} is a view with gaps, and safetensors stores none.",
        cause="It was transposed, sliced or expanded: its memory is not in order.",
        cures=(
            do("{{k: v.contiguous() for k, v in model.state_dict().items()}}", "copies in order"),
            do("model.save_pretrained(folder), or save_model(model, path)", "does it for you"),
        ),
    ),
    row(
        "safetensors-type",
        r"Key `(?P<name>[^`]+)` is invalid, expected torch\.Tensor but received <class '(?P<type>[^']+)'>",
        summary="{name} is a {type}, and safetensors stores tensors only.",
        cause="A checkpoint holds more than weights: steps, settings, the optimizer.",
        cures=(
            do("save_file(model.state_dict(), path); the rest as JSON or torch.save", "splits"),
        ),
    ),
    row(
        "hf-torch-load-blocked",
        r"Due to a serious vulnerability issue in `torch\.load`",
        summary="transformers refuses to load pickles with a torch before 2.6.",
        cause="Old versions of torch.load can run code (CVE-2025-32434).",
        cures=(
            do(
                "from_pretrained(..., use_safetensors=True)",
                "takes the other file, if there is one",
            ),
            pip("install --upgrade torch torchvision", "moves torch to one with a safe load"),
        ),
    ),
)
