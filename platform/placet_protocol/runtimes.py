"""How a runtime is installed: its lock and its wheels."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from placet_protocol.fields import ProtocolError, hex_digest, member, whole


class WheelEntry(TypedDict):
    """One wheel of a runtime."""

    name: str
    sha256: str  # 64 hex, with or without "sha256:"
    size: int


class RuntimeManifest(TypedDict):
    """How a runtime is installed, offline, from wheels by hash."""

    python_version: str  # "3.13"
    lock: str  # requirements with hashes
    wheels: list[WheelEntry]


@dataclass(frozen=True)
class RuntimeRef:
    """Which runtime a Bento needs."""

    digest: str
    python_version: str


def write_manifest(python_version: str, lock: str, wheels: Iterable[WheelEntry]) -> RuntimeManifest:
    """Return what a node is told about a runtime; of each wheel these members alone."""
    entries = [WheelEntry(name=w["name"], sha256=w["sha256"], size=w["size"]) for w in wheels]
    return RuntimeManifest(python_version=python_version, lock=lock, wheels=entries)


def read_manifest(data: object) -> RuntimeManifest:
    """Read a runtime manifest; a wheel's name must be a plain file name."""
    wheels: list[WheelEntry] = []
    for item in member(data, "wheels", list):
        name = member(item, "name", str)
        if "/" in name or "\\" in name or not name.endswith(".whl") or name.startswith("."):
            raise ProtocolError(f"{name!r} is not the file name of a wheel")
        sha256 = hex_digest(member(item, "sha256", str))
        wheels.append(WheelEntry(name=name, sha256=sha256, size=whole(item, "size", 0, 1 << 40)))
    return RuntimeManifest(
        python_version=member(data, "python_version", str),
        lock=member(data, "lock", str),
        wheels=wheels,
    )
