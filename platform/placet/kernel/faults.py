"""Named crash points: places where a test may end the process as ``kill -9`` would."""

import os
import signal

ENVIRONMENT_VARIABLE = "PLACET_CRASH_AT"


def crash_point(name: str) -> None:
    """End this process at once when ``PLACET_CRASH_AT`` equals ``name``; otherwise do nothing.

    With ``PLACET_CRASH_ONCE`` naming a file, the crash happens only while that file is absent,
    and leaves it behind: the restarted process goes past the point.
    """
    if os.environ.get(ENVIRONMENT_VARIABLE) != name:
        return
    once = os.environ.get("PLACET_CRASH_ONCE")
    if once:
        try:
            os.close(os.open(once, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)
