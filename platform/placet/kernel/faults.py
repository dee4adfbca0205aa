"""Named crash points: places where a test may end the process as ``kill -9`` would."""

import os
import signal
from contextlib import suppress
from pathlib import Path

FOLDER = "PLACET_CRASH_FOLDER"


def crash_point(name: str) -> None:
    """End this process at once when ``PLACET_CRASH_FOLDER`` holds a file called ``name``.

    The file is removed first, in one step: of all processes one dies, once, and the one that
    takes its place goes past the point. Points can be armed while the processes run. Without the
    variable nothing is looked for.
    """
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    with suppress(OSError):
        Path(folder, name).unlink()
        os.kill(os.getpid(), signal.SIGKILL)
