"""Whether the HAProxy of a node answers: whatever clients ask goes through it."""

from typing import Any, Final, Literal, TypedDict, get_args

from placet_protocol import bounded

ProxyFault = Literal["", "port_taken", "not_running", "silent"]
PROXY_FAULTS: Final[tuple[ProxyFault, ...]] = get_args(ProxyFault)


class ProxyReport(TypedDict):
    """How HAProxy is."""

    fault: ProxyFault  # why it answers nobody; '' while it answers
    since: str  # when that began; '' while nothing was seen of it


NOT_SEEN: Final = ProxyReport(fault="", since="")  # also what an agent says that knew no such thing


def read_proxy(data: Any, at: str, *, seen: str) -> ProxyReport:
    """Read how HAProxy is, ``seen`` when, by its report. A fault that is not known here is one all
    the same."""
    if data is None:
        return NOT_SEEN
    if not isinstance(data, dict):
        raise bounded.fault(at, "an object")
    word = bounded.text(data, "fault", at, 40)
    fault: ProxyFault = next((one for one in PROXY_FAULTS if one == word), "not_running")
    if not fault and not data.get("since"):
        return NOT_SEEN
    return ProxyReport(fault=fault, since=bounded.moment(data, "since", at, absent=seen))


def why_unreached(proxy: ProxyReport, port: int) -> str:
    """Return in words why nobody reaches what a node serves at ``port``; '' while it answers."""
    words: dict[ProxyFault, str] = {
        "port_taken": f"port {port} is taken",
        "not_running": "HAProxy does not run",
        "silent": "HAProxy does not answer",
    }
    return words.get(proxy["fault"], "")
