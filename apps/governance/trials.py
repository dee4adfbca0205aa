"""Steps of a plan that try a revision out beside its weight: a header for testers, copies."""

import re
from typing import Any

from apps.governance.analyses import Faults
from placet_verify.units import UnitSource

KINDS = ("set_header_route", "set_mirror")
_VALUE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def set_header_route(at: str, value: Any, faults: Faults) -> dict[str, str]:
    """Read ``{"header": NAME, "value": VALUE}``: requests with it go to the new revision."""
    if not isinstance(value, dict) or set(value) != {"header", "value"}:
        faults.append((at, 'must be {"header": "X-Try", "value": "v2"}'))
        return {}
    try:
        UnitSource.read({"header": value["header"]})
    except ValueError as error:
        secret = "secrets" in str(error)
        words = str(error) if secret else "must be a name of letters, digits, _ and -"
        faults.append((f"{at}/header", words))
    if not isinstance(value["value"], str) or not _VALUE.fullmatch(value["value"]):
        faults.append((f"{at}/value", "must be 1 to 64 letters, digits, _ and -"))
    return dict(value)


def set_mirror(at: str, value: Any, faults: Faults) -> dict[str, float]:
    """Read ``{"percent": 10}``: of so many requests the new revision gets a copy."""
    percent = value.get("percent") if isinstance(value, dict) and len(value) == 1 else None
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        faults.append((at, 'must be {"percent": 10}; 0 ends it'))
        return {}
    if not 0 <= percent <= 100 or abs(percent * 100 - round(percent * 100)) > 1e-6:
        detail = "must be a percentage from 0 to 100 with two decimals at most"
        faults.append((f"{at}/percent", detail))
        return {}
    hundredths = round(percent * 100)
    return {"percent": hundredths // 100 if hundredths % 100 == 0 else hundredths / 100}
