"""Why a program failed, found in what it printed: the error itself, not what was printed last."""

import re
from collections.abc import Sequence

MAX_CAUSE = 600
TRACEBACK = "Traceback (most recent call last):"
# What stands before an error's name where the traceback was cut off or left out
ERROR_LINE = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b")
# BentoML 1.4.40 tells no traceback here, and a hint after it: _internal/service/loader.py
FAILED_IMPORT = re.compile(r"Failed to import module \"[\w.]+\": (.+)$")
_PLACE = re.compile(r"^\s+File \"/build/(?:.*/src|project)/(.+)\", line (\d+)")
_LOGGED = re.compile(r"^\d{4}-\d\d-\d\dT|^$")
_MISSING = re.compile(r"No module named '[\w.]+'$")


def cause(lines: Sequence[str]) -> str:
    """Return the last error that ``lines`` tell, with its place in the version's own source; ''
    when they tell none."""
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number]
        if line.rstrip().endswith(TRACEBACK):
            return _shown(*_raised(lines, number + 1))
        if match := FAILED_IMPORT.search(line):
            return _shown(match.group(1), "")
        if ERROR_LINE.match(line) and not _in_traceback(lines, number):
            return _shown(line, "")
    return ""


def _in_traceback(lines: Sequence[str], number: int) -> bool:
    """Tell whether what stands above a line are frames: its traceback says more than it."""
    return any(line.rstrip().endswith(TRACEBACK) for line in lines[:number])


def _raised(lines: Sequence[str], start: int) -> tuple[str, str]:
    """Return what was raised behind the frames that begin at ``start``, and where."""
    location, number = "", start
    while number < len(lines) and lines[number][:1].isspace():
        if match := _PLACE.match(lines[number]):
            ours = match.group(1).startswith("placet_")  # a template's lines tell nobody anything
            location = "" if ours else f"{match.group(1)}, line {match.group(2)}"
        number += 1
    message_lines = []
    while number < len(lines) and not _LOGGED.match(lines[number]):
        message_lines.append(lines[number].strip())
        number += 1
    return " ".join(message_lines), location


def _shown(message: str, location: str) -> str:
    if _MISSING.search(message):
        message += (
            ": name its package in the requirements; a module of your own comes along in an MLflow "
            "folder with code_paths, or in a BentoML project"
        )
    return message[:MAX_CAUSE] + (f" ({location})" if location else "")
