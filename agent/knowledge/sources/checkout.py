"""Git working copies: the documents that Git tracks, or would."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from agent.knowledge.documents import Found, IndexReport, NoDocuments
from agent.knowledge.sources.files import OnDisk, found_among, reason_of

# What a repository's own configuration could have Git run or fetch is turned off, as it may be a stranger's.
_LIST = (
    "--no-pager",
    "--no-replace-objects",
    "--work-tree=.",
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.untrackedCache=false"),
    *("ls-files", "-z", "--cached", "--others", "--exclude-standard"),
)
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class Checkout(OnDisk):
    """The documents in a Git working copy, without those that Git ignores."""

    def _listed(self, report: IndexReport) -> list[Found]:
        paths = [self.path / name for name in _listed_by_git(self.path)]
        # Git also lists what somebody has deleted, and other repositories in this one as folders.
        files = (path for path in paths if os.path.lexists(path) and not path.is_dir())
        return found_among(files, self.path, report, self.limits)


def _listed_by_git(path: Path) -> list[str]:
    git = shutil.which("git")
    if not git:
        raise NoDocuments(f"{path} is a Git working copy, and git is not found: install it")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # Without a ceiling, Git would take a repository further up where this one is damaged.
    environment |= _ENVIRONMENT | {"GIT_CEILING_DIRECTORIES": os.path.realpath(path.parent)}
    try:
        listed = subprocess.run([git, *_LIST], cwd=path, env=environment, capture_output=True, check=True).stdout  # noqa: S603
    except OSError as error:
        raise NoDocuments(f"{path} cannot be read: {reason_of(error)}") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise NoDocuments(f"Git cannot list the files of {path}: {said}") from error
    return sorted({os.fsdecode(name) for name in listed.split(b"\0") if name})
