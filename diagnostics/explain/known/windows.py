"""Messages of Windows: libraries that do not load, build tools, links and paging."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, root, row, rows, run
from diagnostics.finding import Level

_DLL = r"(?:Error loading \\?\"(?P<dll>[^\"\n]{1,300}?)\\?\" or one of its dependencies)"
_REDIST = root(
    "winget install --id Microsoft.VCRedist.2015+.x64",
    "installs the newest Visual C++ runtime (also at aka.ms/vc14/vc_redist.x64.exe)",
)


def _library(values: dict[str, str]) -> dict[str, str]:
    return {"dll": values.get("dll") or "a compiled package"}


ROWS = rows(
    "windows",
    row(
        "win-dll-init",
        rf"\[WinError 1114\][^\n]{{0,400}}?{_DLL}",
        r"\[WinError 1114\]",
        r"ImportError: DLL load failed while importing (?P<dll>\w+): A dynamic link library "
        r"\(DLL\) initialization routine failed",
        summary="A library was found but failed while it started ({dll}, Windows error 1114).",
        cause="An old Visual C++ runtime (msvcp140.dll, vcruntime140.dll) is in the process: the "
        "system's is older than the one torch was built with, or a program such as Qt, a conda "
        "base or another package loaded its own copy first.",
        cures=(
            _REDIST,
            do(
                "import torch before PyQt5, PyQt6, PySide6 or other packages with a runtime of "
                "their own",
                "lets the newer runtime load first",
            ),
        ),
        explains=("masked-import",),
        links=("https://github.com/pytorch/pytorch/issues/166628",),
    ),
    row(
        "win-dll-missing",
        rf"\[WinError 126\][^\n]{{0,400}}?{_DLL}",
        r"\[WinError 126\]",
        r"ImportError: DLL load failed while importing (?P<dll>\w+): The specified module could not "
        r"be found",
        summary="A library that {dll} needs is not there (Windows error 126).",
        derive=_library,
        cause="The named file exists; one of those that it depends on does not: usually the Visual "
        "C++ runtime, libomp140.x86_64.dll (torch 2.4.0's fbgemm.dll), or a CUDA library.",
        cures=(
            _REDIST,
            run(
                "{python} -m diagnostics --select file-missing,nvidia-lib-missing",
                "names a file of the installed packages that is gone",
            ),
            do("leave torch 2.4.0 (2.4.1 and later bring libomp140)", "when fbgemm.dll is named"),
        ),
        explains=("masked-import",),
        absent=r"onnxruntime_providers_\w+\.dll|libtorchcodec|bitsandbytes",
        links=("https://github.com/pytorch/pytorch/issues/131662",),
    ),
    row(
        "win-dll-procedure",
        rf"\[WinError 127\][^\n]{{0,400}}?{_DLL}",
        r"\[WinError 127\]",
        r"ImportError: DLL load failed while importing (?P<dll>\w+): The specified procedure could "
        r"not be found",
        summary="{dll} met a library of another version (Windows error 127).",
        derive=_library,
        cause="A library of the right name was already loaded or stands first on PATH, but lacks a "
        "function: another cuDNN or CUDA (ONNX Runtime's preload_dlls before torch, a CUDA "
        "toolkit on PATH), or an extension built for another torch.",
        cures=(
            do(
                "import torch before onnxruntime and other CUDA packages", "loads torch's own first"
            ),
            do("where.exe cudnn64_9.dll", "shows copies on PATH: take those folders out"),
            run(
                "{python} -m diagnostics --select tv-version-pair,file-missing",
                "names a package that was built for another torch",
            ),
        ),
        explains=("masked-import",),
        absent=r"libtorchcodec",
        links=("https://github.com/microsoft/onnxruntime/pull/23674",),
    ),
    row(
        "win-dll-import",
        r"DLL load failed while importing (?P<dll>\w+): (?P<what>[^\n]{1,120})",
        summary="The compiled module {dll} does not load: {what}",
        cause="A library that it needs is missing, too old or of another version: usually the Visual "
        "C++ runtime, a CUDA library, or a build for another Python or torch.",
        cures=(
            _REDIST,
            run("{python} -m diagnostics", "finds files that are gone and builds that do not fit"),
        ),
        is_fallback=True,
        explains=("masked-import",),
    ),
    row(
        "win-not-an-image",
        r"\[WinError 193\]",
        summary="A file is not a Windows library for this processor (Windows error 193).",
        cause="A 32-bit Python met 64-bit libraries, an ARM64 Python x64 ones, or the file is cut off.",
        cures=(
            run(
                "{python} -c 'import platform; print(platform.architecture(), platform.machine())'",
                "shows what this Python is",
            ),
            run("{python} -m diagnostics --select file-truncated", "names a damaged file"),
        ),
    ),
    row(
        "win-paging",
        r"\[WinError 1455\]",
        r"The paging file is too small for this operation to complete",
        summary="Windows could not promise the memory: the paging file is too small.",
        cause="Each process that imports a CUDA torch reserves several GB, also each DataLoader "
        "worker; reserved memory counts even where it is not used.",
        cures=(
            do("DataLoader(..., num_workers=0) or fewer workers", "reserves less"),
            root(
                "SystemPropertiesAdvanced.exe  # Performance > Virtual memory: larger",
                "lets Windows promise more",
            ),
        ),
    ),
    row(
        "win-symlink",
        r"\[WinError 1314\]",
        r"A required privilege is not held by the client",
        summary="Windows refused to make a symbolic link.",
        cause="Links need Developer Mode or administrator rights; the Hub's cache and speechbrain "
        "make them.",
        cures=(
            root(
                "start ms-settings:developers  # switch Developer Mode on",
                "allows links to every user",
            ),
            do("hf download <repo> --local-dir FOLDER", "stores plain files"),
        ),
    ),
    row(
        "win-long-path",
        r"\[WinError 206\]",
        r"This error might have occurred since this system does not have Windows Long Path support",
        summary="A path is longer than Windows allows by default (260 characters).",
        cause="Long paths are off, and the environment lies deep in the folders.",
        cures=(
            root(
                "reg add HKLM\\SYSTEM\\CurrentControlSet\\Control\\FileSystem /v LongPathsEnabled "
                "/t REG_DWORD /d 1 /f",
                "allows long paths after a restart",
            ),
            do("make the environment in a short folder such as C:\\venv", "shortens every path"),
        ),
    ),
    row(
        "win-build-tools",
        r"Microsoft Visual C\+\+ 14\.0 or greater is required",
        r"Error checking compiler version for cl",
        r"Compiler: cl is not found",
        summary="Visual Studio's C++ compiler was not found.",
        cause="A package without a ready wheel, a C++ extension or torch.compile needs cl.exe.",
        cures=(
            root(
                "winget install --id Microsoft.VisualStudio.2022.BuildTools --override "
                '"--quiet --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"',
                "installs the compiler",
            ),
            do("run from the `x64 Native Tools Command Prompt`", "puts cl.exe on PATH"),
        ),
        explains=("wheel-build", "inductor", "extension-build", "cxx-missing"),
    ),
    row(
        "win-libuv",
        r"use_libuv was requested but PyTorch was built without libuv support",
        summary="This Windows build of torch has no libuv for the rendezvous.",
        cause="torch 2.4 and later ask for libuv by default; some Windows wheels lack it.",
        cures=(
            do('os.environ["USE_LIBUV"] = "0" before init_process_group', "uses the older server"),
            pip("install --upgrade {torch}", "keeps the release; newer Windows wheels have libuv"),
        ),
        level=Level.ERROR,
    ),
)
