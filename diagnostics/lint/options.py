"""The options of install commands: which take a value, and which values there are."""

from __future__ import annotations

import re

INDEX_URLS = frozenset({"-i", "--index-url", "--default-index", "--pypi-url"})
"""Replace the package index."""
EXTRA_INDEX_URLS = frozenset({"--extra-index-url", "--index", "--source"})
"""Join the package index."""
FIND_LINKS = frozenset({"-f", "--find-links"})
REQUIREMENT_FILES = frozenset({"-r", "--requirement", "--requirements"})
CONSTRAINT_FILES = frozenset({"-c", "--constraint", "--constraints", "--override", "--overrides"})
EDITABLE = frozenset({"-e", "--editable"})
CHANNELS = frozenset({"-c", "--channel"})
CONDA_FILES = frozenset({"-f", "--file"})
PYTHONS = frozenset({"--python-version", "--python", "-p"})
PLATFORMS = frozenset({"--platform", "--python-platform"})

FLAGS = frozenset(
    {
        *("-U", "--upgrade", "--pre", "--no-deps", "--user", "--force-reinstall", "-I", "-q", "-v"),
        *("-y", "--yes", "--quiet", "--verbose", "--ignore-installed", "--no-cache-dir", "-qq"),
        *("--no-cache", "--no-build-isolation", "--use-pep517", "--no-use-pep517", "--compile"),
        *("--no-compile", "--break-system-packages", "--check-build-dependencies", "--no-clean"),
        *("--no-warn-script-location", "--no-warn-conflicts", "--require-hashes", "--dry-run"),
        *("--isolated", "--require-virtualenv", "--disable-pip-version-check", "--no-input"),
        *("--prefer-binary", "--ignore-requires-python", "--no-color", "--debug", "--json"),
        *("--no-python-version-warning", "--no-index", "--system", "--reinstall", "--exact"),
        *("--strict", "--no-build", "--offline", "--native-tls", "--all-extras", "--no-progress"),
        *("--dev", "--frozen", "--locked", "--no-sync", "--raw-sources", "--no-sources", "-n"),
        *("--active", "--no-install-project", "--all-groups", "--no-dev", "--refresh", "--sync"),
        *("--no-verify-hashes", "--verify-hashes", "--no-binary-all", "--compile-bytecode"),
        *("--override-channels", "--update-deps", "--no-update-deps", "--only-deps", "--offline"),
        *("--freeze-installed", "--no-pin", "--strict-channel-priority", "--download-only"),
        *("--no-channel-priority", "--copy", "--all", "--force", "--no-root", "--lock"),
        *("--without-hashes", "--with-all", "--no-interaction", "--ansi", "--allow-prereleases"),
        *("--pypi", "--skip-lock", "--deploy", "--ignore-pipfile", "--system-site-packages"),
        *("--inexact", "--allow-existing", "--no-default-groups", "--workspace", "--no-editable"),
        *("--bounds-exact", "-vv", "-vvv", "--root-user-action", "--require-hash", "--lint"),
    }
)
"""Options without a value."""

VALUES = frozenset(
    {
        *("-t", "--target", "--prefix", "--root", "--cache-dir", "--proxy", "--timeout"),
        *("--retries", "--trusted-host", "--abi", "--implementation", "--log", "--report"),
        *("--src", "-C", "--config-setting", "--config-settings", "--group", "--extra", "-b"),
        *("--build", "--cert", "--client-cert", "--exists-action", "--global-option", "-d"),
        *("--install-option", "--use-feature", "--use-deprecated", "--dest", "--name", "-E"),
        *("--upgrade-package", "-P", "--reinstall-package", "--exclude-newer", "--package"),
        *("--no-build-package", "--no-binary-package", "--build-constraint", "--solver", "-G"),
        *("--build-constraints", "--allow-insecure-host", "--index-username", "--extras"),
        *("--markers", "--platform-name", "--feature", "--environment", "--manifest-path"),
        *("--with", "--without", "--only", "--no-group", "--only-group", "--directory", "--path"),
        *("--project", "--bounds", "--rev", "--tag", "--branch", "--subdir", "--git", "--optional"),
        *("--experimental-solver", "--repodata-fn", "--root-prefix", "--categories", "--color"),
        *("--no-build-isolation-package", "--default-timeout", "--uploaded-prior-to"),
    }
)
"""Options with a value that changes nothing that is judged."""

CHOICES: dict[str, str] = {
    "--torch-backend": r"auto|cpu|xpu|cu\d{2,3}|rocm\d+\.\d+(\.\d+)?",
    "--index-strategy": "first-index|unsafe-first-match|unsafe-best-match",
    "--upgrade-strategy": "eager|only-if-needed",
    "--resolution": "highest|lowest|lowest-direct",
    "--prerelease": "disallow|allow|if-necessary|explicit|if-necessary-or-explicit",
    "--link-mode": "clone|copy|hardlink|symlink",
    "--keyring-provider": "auto|disabled|import|subprocess",
    "--progress-bar": "on|off|raw|auto|ascii|pretty|emoji",
    "--root-user-action": "warn|ignore",
    "--fork-strategy": "fewest|requires-python",
    "--only-binary": r".+",
    "--no-binary": r".+",
}
"""Options with a fixed choice of values, as a pattern."""


def takes_value(option: str, installer: str) -> bool | None:
    """Whether an option takes a value; None for one that is not known here."""
    if installer in ("conda", "pixi") and option in CHANNELS | CONDA_FILES | {"-n", "-p"}:
        return True
    known = INDEX_URLS | EXTRA_INDEX_URLS | FIND_LINKS | REQUIREMENT_FILES | CONSTRAINT_FILES
    known |= EDITABLE | PYTHONS | PLATFORMS | VALUES | {"--channel", "--file"}
    if option in known or option in CHOICES:
        return True
    if option in FLAGS or re.fullmatch(r"-[qvUIy]{2,}", option):
        return False
    return None


def wrong_choice(option: str, value: str) -> str:
    """A sentence when the option has no such value, else empty."""
    pattern = CHOICES.get(option)
    if pattern is None or re.fullmatch(pattern, value):
        return ""
    named = {"--torch-backend": "auto, cpu, xpu, cuNNN, rocmN.N"}.get(option)
    return f"{option} has no value {value!r} (expected {named or ', '.join(pattern.split('|'))})"
