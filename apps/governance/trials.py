"""Steps of a plan that try a revision out beside its weight: a header for testers, copies."""

from typing import Any

from apps.governance.analyses import Faults
from placet_protocol.testers import header_route_faults

KINDS = ("set_header_route", "set_mirror")


def set_header_route(at: str, value: Any, faults: Faults) -> dict[str, str]:
    """Read ``{"header": NAME, "value": VALUE}``: requests with it go to the new revision."""
    if not isinstance(value, dict) or set(value) != {"header", "value"}:
        faults.append((at, 'must be {"header": "X-Try", "value": "v2"}'))
        return {}
    wrong = header_route_faults(value["header"], value["value"])
    faults += [(f"{at}/{name}", detail) for name, detail in wrong]
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
