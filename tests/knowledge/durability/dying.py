"""Programs that kill themselves where a test wants them to."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def killed_in(program: str, *arguments: object) -> bool:
    """Run a program that kills itself, and say whether it came to that."""
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
