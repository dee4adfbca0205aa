"""The header of testers: which requests go to a revision that is tried out, whatever its weight."""

import re
from dataclasses import dataclass
from typing import Any, TypedDict

from placet_protocol.fields import ProtocolError
from placet_verify.units import UnitSource

_VALUE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class HeaderRouteEntry(TypedDict):
    """A request with this value in this header goes to a revision whatever its weight."""

    header: str
    value: str


@dataclass(frozen=True)
class HeaderRoute:
    """A request with this value in this header goes to the revision, whatever its weight."""

    header: str
    value: str


def header_route_faults(header: object, value: object) -> list[tuple[str, str]]:
    """Return what is wrong with the two, each with its member. Plan and node ask the same."""
    faults = list[tuple[str, str]]()
    try:
        UnitSource.read({"header": header})
    except ValueError as error:
        secret = "secrets" in str(error)
        words = str(error) if secret else "must be a name of letters, digits, _ and -"
        faults.append(("header", words))
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        faults.append(("value", "must be 1 to 64 letters, digits, _ and -"))
    return faults


def read_header_route(data: dict[str, Any]) -> HeaderRoute | None:
    """Return the ``header_route`` of a revision; both parts become words of a configuration."""
    members = data.get("header_route")
    if members is None:
        return None
    if not isinstance(members, dict):
        raise ProtocolError("'header_route' is not of type dict")
    header, value = members.get("header"), members.get("value")
    for name, detail in header_route_faults(header, value):
        raise ProtocolError(f"'header_route': {name} {detail}")
    return HeaderRoute(str(header), str(value))
