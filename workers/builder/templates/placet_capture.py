"""What is written down of predictions: a share of them, drawn by their id.

The node says what was approved in ``PLACET_CAPTURE`` and gives a folder; without it nothing is
written. Every process has files of its own there, and each prediction is one line, written before
its answer is sent: what was answered is in the file, whatever ends the process afterwards.
"""

import contextlib
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any

FOLDER = Path("/capture")
FILE_BYTES = 4 << 20  # then the next file
FOLDER_BYTES = 64 << 20  # more than this is not kept for a node that cannot send it
LOOK_AGAIN = 256  # predictions that were dropped for want of room
WHOLE = 10_000
REDACTED = "[redacted]"
COHORT = b"x-placet-cohort"  # set by the node where no split decided on a request
UNIT = re.compile(r"[ -~]{1,128}")


def is_captured(prediction: str, percent: float) -> bool:
    """Tell whether a prediction is captured: a function of its id alone."""
    digest = hashlib.sha256(prediction.encode()).digest()
    return int.from_bytes(digest[:4], "big") % WHOLE < round(percent * 100)


class Files:
    """The files of one process: each record is one line, appended in one piece."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder, self._token = folder, uuid.uuid4().hex
        self._number, self._size, self._handle, self._dropped = 0, 0, -1, 0

    def append(self, record: dict[str, Any]) -> None:
        """Append one record; what cannot be written is counted in the next one that can."""
        if self._handle < 0 and self._dropped % LOOK_AGAIN == 0:
            self._open()
        if self._handle < 0:
            self._dropped += 1
            return
        text = json.dumps({**record, "dropped": self._dropped}, separators=(",", ":"))
        line, written = text.encode() + b"\n", 0
        with contextlib.suppress(OSError):
            written = os.write(self._handle, line)
        self._dropped = 0 if written == len(line) else self._dropped + 1
        self._size += written
        if self._dropped or self._size >= FILE_BYTES:
            os.close(self._handle)  # half a line ends its file: nobody takes it for a prediction
            self._handle = -1

    def _open(self) -> None:
        name = f"{self._token}-{self._number:06}.jsonl"
        try:
            if sum(path.stat().st_size for path in self._folder.iterdir()) > FOLDER_BYTES:
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._handle = os.open(self._folder / name, flags, 0o600)
        except OSError:
            return
        self._number, self._size = self._number + 1, 0


class Capture:
    """What this service writes down of its predictions."""

    def __init__(self, signature: dict[str, Any], log: Callable[[dict[str, Any]], None]) -> None:
        self._settings: dict[str, Any] = json.loads(os.environ.get("PLACET_CAPTURE") or "{}")
        self._log = log
        self._revision = os.environ.get("PLACET_REVISION", "")
        tags = set(self._settings.get("redact", ()))
        self._hidden = {
            side: {c["name"] for c in signature.get(side) or () if tags & set(c.get("tags") or ())}
            for side in ("inputs", "outputs")
        }

    def wants(self, prediction: str) -> bool:
        """Tell whether the prediction of this id is written down."""
        return bool(self._settings) and is_captured(prediction, self._settings["percent"])

    def write(
        self, prediction: str, headers: Any, body: bytes, rows: Any, answers: Any, seconds: float
    ) -> None:
        """Write one prediction down; what is larger than the bound is left out and marked."""
        inputs = outputs = None
        if len(body) <= self._settings["max_bytes"]:
            inputs = json.dumps([self._shown(row) for row in rows], separators=(",", ":"))
            outputs = json.dumps([self._answer(value) for value in answers], separators=(",", ":"))
            if len(inputs) + len(outputs) > self._settings["max_bytes"]:
                inputs = outputs = None
        record: dict[str, Any] = {
            "v": 1,
            "id": prediction,
            "at": round(time.time(), 3),
            "revision": self._revision,
            "unit": self._unit(headers, body),
            "cohort": next((v.decode("latin-1") for k, v in headers if k.lower() == COHORT), ""),
            "rows": len(rows),
            "inputs": inputs,
            "outputs": outputs,
            "ms": round(seconds * 1000, 3),
        }
        self._log(record)

    def _shown(self, row: dict[str, Any]) -> dict[str, Any]:
        hidden = self._hidden["inputs"]
        return {k: REDACTED if k in hidden else v for k, v in row.items()} if hidden else row

    def _answer(self, value: Any) -> Any:
        hidden = self._hidden["outputs"]
        if not hidden:
            return value
        if isinstance(value, dict):
            return {k: REDACTED if k in hidden else v for k, v in value.items()}
        return REDACTED

    def _unit(self, headers: Any, body: bytes) -> str | None:
        """Return the unit as the proxy reads it: once, of printable characters, else none."""
        source, name = next(iter((self._settings.get("unit") or {"": ""}).items()))
        found: list[str] = []
        if source == "header":
            wanted = name.lower().encode()
            found = [v.decode("latin-1") for k, v in headers if k.lower() == wanted]
        elif source == "cookie":
            found = _cookies(headers, name)
        elif source == "json":
            found = _member(body, name)
        return found[0] if len(found) == 1 and UNIT.fullmatch(found[0]) else None


def _cookies(headers: Any, name: str) -> list[str]:
    found = []
    for header, value in headers:
        if header.lower() == b"cookie":
            try:
                jar = SimpleCookie(value.decode("latin-1"))
            except CookieError:
                continue
            found += [jar[name].value] if name in jar else []
    return found


def _member(body: bytes, pointer: str) -> list[str]:
    value = json.loads(body)
    for step in pointer.removeprefix("/").split("/"):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return []
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return []
    return [value if isinstance(value, str) else json.dumps(value)]
