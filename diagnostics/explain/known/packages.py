"""Messages of Python packages that are missing, too old or too new."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, root, row, rows, run, sh

SYSTEM_PACKAGES = {
    "libGL": "libgl1",
    "libEGL": "libegl1",
    "libOpenGL": "libopengl0",
    "libSM": "libsm6",
    "libXext": "libxext6",
    "libXrender": "libxrender1",
    "libglib": "libglib2.0-0",
    "libgthread": "libglib2.0-0",
    "libgomp": "libgomp1",
    "libsndfile": "libsndfile1",
    "libsox": "sox",
    "libmpi": "openmpi-bin libopenmpi-dev",
    "libopenblas": "libopenblas0",
    "liblapack": "liblapack3",
    "libnuma": "libnuma1",
    "libibverbs": "libibverbs1",
    "librdmacm": "librdmacm1",
    "libtbb": "libtbb12",
    "libatlas": "libatlas3-base",
    "libjpeg": "libjpeg62-turbo",
    "libpng16": "libpng16-16",
    "libportaudio": "libportaudio2",
    "libespeak-ng": "libespeak-ng1",
    "libaio": "libaio1",
    "libcurl": "libcurl4",
    "libssl": "libssl3",
}
"""The Debian package of a system library, by the library's name without its number."""

_SYSTEM_LIBRARY = (
    r"(?P<lib>(?P<stem>(?!libav|libsw)lib[\w+-]{1,60}?)(?:-\d[\d.]*)?\.so[.\d]*): "
    r"cannot open shared object file"
)

ROWS = rows(
    "install",
    row(
        "pep668",
        r"externally-managed-environment",
        summary="The system's Python refuses packages from pip.",
        cause="The distribution marks its Python as managed by its own package manager (PEP 668).",
        cures=(
            sh(
                "python3 -m venv .venv && . .venv/bin/activate",
                "makes an environment that pip may change",
            ),
        ),
    ),
    row(
        "disk-full",
        r"\[Errno 28\] No space left on device",
        r"write failed[^\n]{0,40}No space left on device",
        r"PytorchStreamWriter failed writing file",
        r"OSError: 28",
        summary="The disk is full.",
        cause="The folder being written, or the temporary folder, has no space left; a CUDA torch "
        "needs about 10 GB while it is installed.",
        cures=(
            sh("df -h . /tmp", "shows which disk is full"),
            pip("cache purge", "removes the downloads that pip keeps"),
            sh("export TMPDIR=/path/with/space", "moves temporary files to another disk"),
        ),
    ),
    row(
        "torch-lib-missing",
        r"(?P<lib>lib(?:torch\w*|c10\w*)\.so): cannot open shared object file",
        summary="A compiled package does not find torch's own library {lib}.",
        cause="It was loaded before `import torch`, or it was built for another variant: "
        "libtorch_cuda and libc10_cuda are missing from torch's CPU build.",
        cures=(
            do("import torch before the package", "loads torch's libraries first"),
            run("{python} -m diagnostics", "names packages that were built for another torch"),
        ),
        explains=("masked-import",),
    ),
    row(
        "system-lib-missing",
        _SYSTEM_LIBRARY,
        summary="The system library {lib} is not installed.",
        cause="A package's compiled part needs it; slim containers leave it out, and pip does not "
        "bring system libraries.",
        cures=(
            root("sudo apt install {package}", "installs it on Debian and Ubuntu"),
            do(
                "opencv-python-headless in place of opencv-python (libGL, libSM, libXext)",
                "needs no graphical libraries",
            ),
        ),
        derive=lambda values: {"package": SYSTEM_PACKAGES.get(values.get("stem", ""), "")},
        when=lambda values: values["stem"] in SYSTEM_PACKAGES,
        is_fallback=True,
        explains=("masked-import",),
    ),
    row(
        "library-missing",
        _SYSTEM_LIBRARY,
        summary="The library {lib} was not found.",
        cause="A compiled part needs it, and neither its own folder nor the system has it: a system "
        "package is missing, or the file belongs to a Python package that is damaged or gone.",
        cures=(
            do("apt-file search {lib}", "names the system package that has it, if one does"),
            run(
                "{python} -m diagnostics --select file-missing",
                "names a Python package that lost a file",
            ),
        ),
        when=lambda values: values["stem"] not in SYSTEM_PACKAGES,
        is_fallback=True,
        explains=("masked-import",),
    ),
    row(
        "imp-importer",
        r"module 'pkgutil' has no attribute 'ImpImporter'",
        summary="The setuptools or pip in use is too old for this Python.",
        cause="Python 3.12 removed pkgutil.ImpImporter, which setuptools before 66 uses; often in a "
        "package's build environment that pins an old numpy or setuptools.",
        cures=(
            pip("install --upgrade pip setuptools", "brings releases for this Python"),
            run("uv venv --python 3.11", "or a Python that the pinned packages know"),
        ),
        explains=("metadata-generation", "wheel-build"),
    ),
    row(
        "attribute-missing",
        r"module '(?P<module>(?:torch|torchvision|torchaudio|torchao|transformers|diffusers|peft|"
        r"accelerate|triton|onnx|numpy|scipy|PIL|cv2|timm|datasets|huggingface_hub)[\w.]{0,80})' "
        r"has no attribute '(?P<name>\w+)'",
        summary="The installed {module} has no {name}.",
        cause="The code was written for another release: the name is newer than the installed one, "
        "or was removed or moved since.",
        cures=(
            do(
                "look {name} up in the release notes of the package", "tells which releases have it"
            ),
            do(
                "upgrade the package that uses it, or the one that lacks it",
                "makes the two fit; name both in one command, so that they are resolved together",
            ),
        ),
        is_fallback=True,
    ),
    row(
        "import-name-missing",
        r"cannot import name '(?P<name>\w+)' from '(?P<module>(?!transformers|huggingface_hub|"
        r"torchvision|torch\.onnx)[\w.]{1,120})'",
        summary="{module} has no {name}.",
        cause="The code was written for another release of it: the name is newer than the installed "
        "one, or was removed or moved since; or a file of your own has the module's name.",
        cures=(
            run("{python} -c 'import {module} as m; print(m.__file__)'", "shows which file it is"),
            do(
                "upgrade the package that imports it, or pin the release it was written for", "fits"
            ),
        ),
        is_fallback=True,
    ),
    row(
        "segfault",
        r"(?:^|[^\w(])Segmentation fault(?: \(core dumped\))?\s*$",
        r"Fatal Python error: (?P<what>Segmentation fault|Aborted|Bus error)",
        r"exit code -11\b",
        r"exitcode *: -11\b",
        r"exit code (?P<what>-1073741819|3221225477)",
        summary="A native library crashed the process ({what}).",
        cause="Python cannot catch it. Usual causes: two packages that bring the same library "
        "(OpenCV, OpenMP, protobuf, cuDNN), a build for another version, or a driver.",
        cures=(
            sh("python -X faulthandler your_script.py", "prints the Python line that was running"),
            run("{python} -m diagnostics", "finds mixed and damaged libraries"),
        ),
        is_symptom=True,
    ),
    row(
        "cxx-terminate",
        r"terminate called after throwing an instance of '(?P<type>[\w:]+)'(?:[\s\S]{0,40}?what\(\): +"
        r"(?P<what>[^\n]{1,200}))?",
        summary="C++ code threw {type} where nothing catches it: {what}",
        cause="The error came up in a thread or destructor of a library; the text after what() is "
        "the cause.",
        cures=(do("look for the first error above this line", "the process was ending already"),),
        is_symptom=True,
    ),
    row(
        "numpy-abi",
        r"A module that was compiled using NumPy 1\.x cannot be run in",
        r"numpy\.(?:dtype|ufunc|ndarray) size changed, may indicate binary incompatibility",
        r"numpy\.core\.multiarray failed to import",
        r"module compiled against (?:ABI|API) version 0x\w+ but this version of numpy is",
        summary="An extension was compiled for another NumPy than the installed one.",
        cause="NumPy 2 changed its binary interface; extensions built for NumPy 1 do not load.",
        cures=(
            do(
                "upgrade the package whose import failed (the last frame before this line)",
                "takes its build for NumPy 2; torch from 2.3 on and torchvision from 0.18 on have it",
            ),
            pip('install "numpy<2"', "or goes back to NumPy 1 where no newer build exists"),
        ),
        explains=("numpy-unavailable",),
    ),
    row(
        "numpy-unavailable",
        r"RuntimeError: Numpy is not available",
        summary="torch cannot use NumPy.",
        cause="NumPy is missing, or this torch was built for NumPy 1 and NumPy 2 is installed.",
        cures=(pip('install "numpy<2"', "fits torch releases before 2.3"),),
    ),
    row(
        "protobuf-descriptors",
        r"Descriptors cannot (?:not )?be created directly",
        summary="The generated protobuf code is older than the installed protobuf.",
        cause="A package brings code generated by protoc before 3.19, protobuf 4 refuses it.",
        cures=(
            pip("install --upgrade onnx", "takes a release with newly generated code"),
            pip('install "protobuf<4"', "or goes back to the older library"),
        ),
    ),
    row(
        "protobuf-newer-code",
        r"Detected incompatible Protobuf Gencode/Runtime versions",
        summary="The generated protobuf code is newer than the installed protobuf.",
        cause="The package was generated by a newer protoc than the protobuf runtime here.",
        cures=(pip("install --upgrade protobuf", "brings the runtime that the code asks for"),),
    ),
    row(
        "python-too-old-syntax",
        r"requires a different Python: (?P<have>[\d.]+) not in '(?P<want>[^']+)'",
        summary="The package needs Python {want}; this one is {have}.",
        cause="Its metadata exclude this Python version.",
        cures=(run("uv venv --python 3.12", "makes an environment with a newer Python"),),
    ),
    row(
        "illegal-instruction",
        r"Illegal instruction(?: \(core dumped\))?",
        summary="The processor lacks an instruction that the program uses.",
        cause="The build needs a newer processor (for instance AVX), or an emulator hides it.",
        cures=(
            sh("grep -m1 -o -w -e avx2 -e avx512f /proc/cpuinfo", "shows what the processor has"),
            sh("export ATEN_CPU_CAPABILITY=default", "keeps torch from using vector instructions"),
        ),
    ),
    row(
        "ssl-certificate",
        r"CERTIFICATE_VERIFY_FAILED",
        summary="The server's certificate could not be verified.",
        cause="A proxy signs the traffic with its own certificate, or the certificate bundle is old.",
        cures=(
            pip("install --upgrade certifi", "updates the bundle"),
            sh("export SSL_CERT_FILE=/path/to/company-ca.pem", "trusts the proxy's certificate"),
        ),
    ),
    row(
        "read-only",
        r"\[Errno 30\] Read-only file system: '(?P<path>[^']+)'",
        summary="{path} lies on a read-only file system.",
        cause="A container or cluster mounts this folder without write access.",
        cures=(do("point the cache or output folder to a writable place", "gives it a home"),),
    ),
    row(
        "no-permission-install",
        r"\[Errno 13\] Permission denied: '(?P<path>/(?:usr|opt)[^']*)'",
        summary="No permission to write {path}.",
        cause="The Python belongs to the system or to another user.",
        cures=(
            sh("python3 -m venv .venv && . .venv/bin/activate", "makes an environment of your own"),
            root("sudo chown -R $USER {path}", "or gives the folder to you, if it is yours"),
        ),
    ),
)
