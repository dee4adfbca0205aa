"""Named crash points of the agent: places where a test may end it as ``kill -9`` would.

The agent stands alone, so this is its own copy of what the server has.
"""

import os
import signal
from pathlib import Path

ENVIRONMENT_VARIABLE = "PLACET_CRASH_AT"


def crash_point(name: str) -> None:
    """End this process at once when ``PLACET_CRASH_AT`` lists ``name``; otherwise do nothing.

    Names are separated by commas. With ``PLACET_CRASH_ONCE`` naming a file, the crash happens
    only while that file is absent, and leaves it behind: the restarted process goes past the
    point. When it names a folder, each point leaves a file of its own name there.
    """
    armed = os.environ.get(ENVIRONMENT_VARIABLE)
    if not armed or name not in armed.split(","):
        return
    once = os.environ.get("PLACET_CRASH_ONCE")
    if once:
        marker = Path(once) / name if Path(once).is_dir() else Path(once)
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)
