"""Messages of uv, poetry, pip and conda when they cannot resolve, find or build a package."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, row, rows, run, sh

_LINT = do(
    'python -m diagnostics lint "{what}"',
    "names the versions, variants and Pythons that were built",
)

ROWS = rows(
    "resolvers",
    row(
        "uv-variant",
        r"there is no version of (?P<what>(?:torch|torchvision|torchaudio)(?:\{[^}]*\})?==[\w.]+"
        r"\+\w+)",
        summary="uv finds no {what} on the indexes that it may use.",
        cause="A build with a label such as +cu128 or +cpu is on PyTorch's own index only; "
        "without that index uv looks on PyPI, which has no labels. Some pairs of release "
        "and label were never built.",
        cures=(
            sh(
                "uv pip install torch --torch-backend=auto",
                "chooses the index by the driver (uv pip only)",
            ),
            do(
                "[[tool.uv.index]] name/url/explicit = true and [tool.uv.sources] "
                'torch = {{ index = "pytorch-cu128" }}',
                "names PyTorch's index in pyproject.toml; leave the label out of the version",
            ),
            _LINT,
        ),
        explains=("uv-no-solution",),
        links=("https://docs.astral.sh/uv/guides/integration/pytorch/",),
    ),
    row(
        "uv-index-first",
        r"`?(?P<what>[\w.-]{1,80})`? was found on \S{1,200},\s+but\s+not\s+at\s+the\s+requested\s+version",
        r"(?P<what>[\w.-]{1,80}) was\s+not\s+found\s+in\s+the\s+package\s+registry",
        summary="uv stops at the first index that has {what}, or no index that it may use has it.",
        cause="For safety uv takes every version of a package from one index. PyTorch's index "
        "mirrors a few packages of PyPI in some versions only, and --index-url in place of "
        "--extra-index-url hides PyPI.",
        cures=(
            do(
                "explicit = true for PyTorch's index, and [tool.uv.sources] for torch, "
                "torchvision and torchaudio only",
                "leaves all other packages to PyPI",
            ),
            sh("uv pip install ... --index-strategy unsafe-best-match", "looks at every index"),
        ),
        explains=("uv-no-solution",),
        links=("https://docs.astral.sh/uv/concepts/indexes/",),
    ),
    row(
        "uv-python-range",
        r"the requested Python version \((?P<range>[^)]+)\) does not satisfy "
        r"Python(?P<want>[\w<>=.,!* -]{1,40})",
        r"the requested Python version \((?P<range>[^)]+)\)[\s\S]{0,160}?satisfy",
        summary="requires-python ({range}) allows Pythons that a dependency does not support"
        " (it needs {want}).",
        cause="uv resolves for every Python that the project allows, not only for the running one.",
        cures=(
            do('requires-python = ">=3.11" in pyproject.toml', "drops the old Pythons"),
            do("take an older release of the dependency", "supports them"),
        ),
        explains=("uv-no-solution",),
    ),
    row(
        "uv-no-wheel-platform",
        r"(?P<what>\S{1,80}) can't be installed because it doesn't have a source distribution or "
        r"wheel for the current platform",
        r"(?P<what>\S{1,80}) has no wheels with a matching platform tag",
        summary="There is no wheel of {what} for this platform.",
        cause="Since torch 2.3 there are no wheels for Intel Macs, and none for 32-bit, musl "
        "(Alpine) or glibc before 2.28; the lock file may come from another platform.",
        cures=(
            do(
                "[tool.uv] required-environments, or a marker such as "
                "\"torch; sys_platform == 'linux'\"",
                "resolves for the platforms that you use",
            ),
            do("a Debian or Ubuntu image in place of Alpine", "has wheels"),
        ),
        explains=("no-matching-wheel", "uv-no-solution"),
    ),
    row(
        "uv-no-solution",
        r"No solution found when resolving (?P<what>[^\n:]{1,60})",
        summary="uv found no set of versions that satisfies every requirement.",
        cause="The lines that begin with `Because` name the two that contradict each other; the last "
        "one is the requirement of yours that cannot hold.",
        cures=(
            do("loosen or drop the pin that the last `Because` names", "lets uv choose"),
            do("uv tree --invert --package NAME", "shows who asks for it"),
            do("python -m diagnostics lint pyproject.toml", "finds impossible torch pins"),
        ),
        is_symptom=True,
    ),
    row(
        "uv-no-environment",
        r"No virtual environment found(?:; run `uv venv`| for)",
        summary="uv found no virtual environment to install into.",
        cause="uv pip changes virtual environments only, unless told otherwise.",
        cures=(
            run("uv venv", "makes .venv here"),
            do("uv pip install --system ...", "in a container, where the system's Python is meant"),
        ),
    ),
    row(
        "poetry-solving",
        r"[Bb]ecause (?P<why_>[^\n]{1,160})(?:\n[^\n]{0,200}){0,8}?version solving failed",
        summary="poetry found no set of versions that satisfies every requirement.",
        cause="The lines above name the two that contradict each other. poetry resolves for every "
        "Python in the project's range, and ^2.0.0 allows any 2.x.",
        cures=(
            do(
                "poetry source add --priority=explicit pytorch "
                "https://download.pytorch.org/whl/cu128; poetry add --source pytorch torch "
                "torchvision",
                "takes torch, torchvision and torchaudio from one index",
            ),
            do('python = ">=3.11,<3.15" in pyproject.toml', "when a Python range is named"),
            do("python -m diagnostics lint pyproject.toml", "finds pins that cannot go together"),
        ),
    ),
    row(
        "poetry-python-range",
        r"The current project's (?:supported )?Python requirement \((?P<range>[^)]+)\) is not "
        r"compatible with some of the required packages",
        r"The current project's supported Python range \((?P<range>[^)]+)\)",
        summary="The project's Python range {range} is wider than a dependency's.",
        cause="poetry wants versions that hold for every Python in the range.",
        cures=(do('python = ">=3.11,<3.15" in pyproject.toml', "narrows the range"),),
        explains=("poetry-solving",),
    ),
    row(
        "poetry-unavailable",
        r"Unable to find installation candidates for (?P<what>\S+ \([^)]+\))",
        r"Package (?P<what>\S{1,80} \([^)\n]{1,40}\)) not found\.",
        summary="poetry finds no file of {what} for this platform.",
        cause="The lock file names a build of another platform or index.",
        cures=(
            do("poetry lock, then poetry install", "locks files that are there"),
            do("poetry source add --priority=explicit pytorch <index>", "for labels like +cu128"),
        ),
    ),
    row(
        "pip-conflict-installed",
        r"pip's dependency resolver does not currently take into account all the packages that are "
        r"installed[\s\S]{0,300}?\n(?P<what>[\w.-]+ \S+ requires [^\n]{1,120})",
        summary="The installation left packages that do not fit together: {what}",
        cause="pip installed what was asked for and broke a requirement of another package.",
        cures=(
            do(
                "name both packages in one pip install command",
                "lets pip look for versions that fit",
            ),
            run("{python} -m diagnostics", "shows which installed packages do not fit"),
        ),
    ),
    row(
        "pip-hash",
        r"THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
        summary="The downloaded file is not the one that the requirements file names.",
        cause="A download was cut off or cached by a proxy, or an index serves another build under "
        "the same version.",
        cures=(
            pip("cache purge", "drops the cached file"),
            do("write the requirements file again (pip-compile, uv pip compile)", "new hashes"),
        ),
    ),
    row(
        "metadata-generation",
        r"error: metadata-generation-failed",
        r"Encountered error while generating package metadata",
        r"Failed to build `(?P<name>[^`]+)`",
        r"Getting requirements to build wheel did not run successfully",
        r"python setup\.py (?:egg_info|bdist_wheel) did not run successfully",
        summary="A source package ({name}) failed before it was compiled.",
        cause="There is no wheel for this Python or platform, and its setup script failed; the error "
        "above this line says why.",
        cures=(
            do("read the first error above", "names the cause"),
            run("uv venv --python 3.12", "an older Python often has wheels"),
        ),
        is_symptom=True,
    ),
    row(
        "conda-solving",
        r"LibMambaUnsatisfiableError: (?P<what>[^\n]{1,200})",
        r"UnsatisfiableError: The following specifications were found to be incompatible",
        r"PackagesNotFoundError: The following packages are not available from current channels",
        summary="conda found no set of packages that fits.",
        cause="A package is not on the channels in use, or pins contradict each other. The channel "
        "`pytorch` ended with 2.5: newer releases are on conda-forge.",
        cures=(
            run("conda create -n torch -c conda-forge pytorch torchvision", "a fresh environment"),
            do(
                "conda install -c conda-forge pytorch cuda-version=12.9",
                "chooses the CUDA version by its own package",
            ),
        ),
        links=("https://github.com/pytorch/pytorch/issues/138506",),
    ),
    row(
        "requires-python-skip",
        r"Ignored the following versions that require a different python version: "
        r"(?P<what>[^\n]{1,200})",
        summary="pip passed over releases that this Python cannot use.",
        cause="They need a newer (or older) Python than the one that runs pip.",
        cures=(run("uv venv --python 3.12", "makes an environment with another Python"),),
        explains=("no-matching-wheel",),
    ),
    row(
        "wheel-not-supported",
        r"(?<![\w.+-])(?P<what>[\w.+-]{1,200}\.whl) is not a supported wheel on this platform",
        summary="The wheel {what} is for another Python or platform.",
        cause="Its name tells: cp312 is Python 3.12, win_amd64, linux_x86_64 and macosx_11_0_arm64 "
        "are platforms.",
        cures=(
            pip("debug --verbose", "lists the tags that fit this Python"),
            do("take the file whose cp number is your Python's", "fits"),
        ),
    ),
)
