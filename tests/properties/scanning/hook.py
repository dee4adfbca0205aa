"""What an audit hook counts as code of a file: whatever a plain load of that kind does not do."""

import importlib.util
import sys
from _compat_pickle import IMPORT_MAPPING
from types import FrameType
from typing import Any

from placet_marker import Ran

# What no load of data does by itself. Looking a class up and importing are judged by name.
ALWAYS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "subprocess.",
    "ctypes.dlopen",
    "socket.",
    "pty.",
    "webbrowser.",
    "shutil.",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.putenv",
    "os.kill",
    "code.",
    "marshal.load",
    "shelve.",
)
# Modules that do something when they are imported, and that no library needs.
LIKELY = frozenset({"this", "antigravity", "idlelib"})
# What lies beside the folders that are loaded, or anywhere, and that none of them has a right to.
BESIDE = ("/asked.json", "/proc/version")
IN_LIBRARIES = ("site-packages", "dist-packages", "/lib/python3", "<frozen ", "<unknown>")


class Watch:
    """Notes the first thing that a load should not do, and ends the load there."""

    def __init__(self) -> None:
        self.on = False
        self.why = ""

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """Look at one event of the interpreter."""
        if not self.on:
            return
        self.on = False  # what is asked here is no doing of the file
        self.why = judged(event, args)
        if self.why:
            raise Ran(self.why)
        self.on = True


def judged(event: str, args: tuple[Any, ...]) -> str:
    """Return what an event says a file had done, or '' for what every load may do."""
    if event == "pickle.find_class":
        module, name = str(args[0]), str(args[1])
        ours = module == "placet_marker"
        return "" if ours or not _is_there(module) else f"asked for {module}.{name}"
    if event == "open" and str(args[0]).endswith(BESIDE):
        return "opened what lies beside its folder"
    if event in ("exec", "compile"):
        return _source(event, args)
    if event.startswith(ALWAYS) and not _library():
        return event
    return ""


def _is_there(module: str) -> bool:
    """Tell whether there is anything to import; else a load ends there."""
    if module in sys.modules:
        return True
    newer = IMPORT_MAPPING.get(module, module).partition(".")[0]
    try:
        return newer in sys.modules or importlib.util.find_spec(newer) is not None
    except (ImportError, ValueError):
        return False


def _source(event: str, args: tuple[Any, ...]) -> str:
    """Tell foreign code from that of a library which is imported late."""
    code = args[0] if event == "exec" else args[1]
    place = str(getattr(code, "co_filename", code))
    if any(part in place for part in IN_LIBRARIES) or _library():
        return ""
    return f"{event} of {place[:80]}"


def _library() -> bool:
    """Tell whether a library is just being imported, late: what it does then is its own."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        top = code.co_name == "<module>" and any(p in code.co_filename for p in IN_LIBRARIES)
        if top or code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def imported(before: set[str]) -> str:
    """Return what was imported since that only a file can have asked for, or ''."""
    new = (name for name in set(sys.modules) - before if name.partition(".")[0] in LIKELY)
    return next((f"imported {name}" for name in sorted(new)), "")
