"""What one revision runs with, and how a program is told that it wrote that in a wrong shape.

What may run is judged by ``placet_verify``, whose functions permit and agent read by too; here a
wrong shape gets a sentence of its own.
"""

import ipaddress
import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import Field, ValidationInfo

from apps.governance.parts import Faults, Part, ReadBy, whole, wrong
from placet_verify.capture import Capture
from placet_verify.numbers import is_whole
from placet_verify.permit.limits import limits_faults
from placet_verify.permit.named_secrets import secrets_faults
from placet_verify.permit.scaling import scaling_faults
from placet_verify.permit.serving import (
    MAX_EGRESS,
    MAX_MEMORY_MB,
    MAX_REPLICAS,
    MIN_MEMORY_MB,
    SLIM,
    egress_faults,
)
from placet_verify.permit.variables import undeclared, variables_faults
from placet_verify.units import UnitSource


def _maximum(value: Any, info: ValidationInfo) -> int:
    low = info.data.get("replicas", 1)
    if not is_whole(value, low, MAX_REPLICAS):
        raise wrong(((), f"must be a whole number from {low} to {MAX_REPLICAS}"))
    return int(value)


def _variables(value: Any, _: ValidationInfo) -> dict[str, str]:
    """What cannot be seen is refused too: people approve what a page shows them."""
    if not isinstance(value, dict):
        raise wrong(((), 'must be an object {"NAME": "value"}'))
    odd = {str(name): _no_text(raw) for name, raw in value.items() if _no_text(raw)}
    texts = {name: "" if str(name) in odd else raw for name, raw in value.items()}
    if faults := odd | dict(variables_faults(texts)):
        raise wrong(*(((name,) if name else (), faults[name]) for name in sorted(faults)))
    return value


def _no_text(value: object) -> str:
    if isinstance(value, str):
        return ""
    if isinstance(value, bool | int | float):
        return f'must be a text: write "{json.dumps(value)}"'
    return "must be a text"


def _egress(value: Any, _: ValidationInfo) -> list[str]:
    """Return the destinations in their one form."""
    if not isinstance(value, list):
        raise wrong(((), 'must be a list of texts: ["host:port"]'))
    if len(value) > MAX_EGRESS:
        raise wrong(((), f"{len(value)} are too many, {MAX_EGRESS} at most"))
    faults, destinations = egress_faults(value)
    if faults:  # each with its text: who typed lines into a form does not count them
        raise wrong(
            *(
                ((index,), f"{quoted_value(value[index])}: {_brackets(value[index]) or detail}")
                for index, detail in faults
                if index is not None
            )
        )
    return [str(one) for one in destinations]


def quoted_value(value: Any) -> str:
    """Return a value as whoever wrote it knows it, in 80 characters."""
    return repr(value[:80]) if isinstance(value, str) else json.dumps(value)[:80]


def _brackets(text: object) -> str:
    """Say how an IPv6 address is written before a port, if this is one without brackets."""
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return ""
    return f"an IPv6 address goes in brackets: [{host}]:{port}"


def _read_by(read: Callable[[Any], Any]) -> ReadBy:
    """A document that nodes read: whatever ``read`` has against it is said in its own words."""

    def judge(value: Any, _: ValidationInfo) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise wrong(((), str(error))) from None

    return ReadBy(judge)


def _server(value: Any, _: ValidationInfo) -> str | None:
    """BentoML has one form, which is to leave it out: older nodes know no such member."""
    if value in (None, "bentoml"):
        return None
    if value != SLIM:
        raise wrong(((), f'must be "{SLIM}" or "bentoml"'))
    return SLIM


def _limits(value: Any, info: ValidationInfo) -> dict[str, int] | None:
    """None at all has one form too, which is to leave them out."""
    if value is None:
        return None
    if faults := limits_faults(value, sleeps=info.data.get("min_replicas") == 0):
        raise wrong(*(((name,) if name else (), detail) for name, detail in faults))
    return dict(value)


def _secrets(value: Any, _: ValidationInfo) -> dict[str, str] | None:
    """None at all is left out, as with limits."""
    if value in (None, {}):
        return None
    if faults := secrets_faults(value):
        raise wrong(*(((file,) if file else (), detail) for file, detail in faults))
    return dict(value)


def _target(value: Any, _: ValidationInfo) -> int | None:
    """None at all is left out, as with limits."""
    return _scaled({"target_inflight": value}, 1)


def _least(value: Any, info: ValidationInfo) -> int | None:
    """Where the target is wrong, that is said there, and this is taken to have one."""
    target = info.data.get("target_inflight", 1)
    beside = {} if target is None else {"target_inflight": target}
    return _scaled(beside | {"min_replicas": value}, info.data.get("replicas", MAX_REPLICAS))


def _scaled(members: dict[str, Any], replicas: int) -> int | None:
    """Return the last of the members that say how it scales."""
    name, value = list(members.items())[-1]
    if value is None:
        return None
    if faults := [detail for at, detail in scaling_faults(members, replicas) if at == name]:
        raise wrong(*(((), detail) for detail in faults))
    return int(value)


def _unit(value: Any) -> dict[str, str]:
    UnitSource.read(value)
    return dict(value)


class Serving(Part):
    """What one revision runs with. Signed, so no secrets in ``variables``.

    ``max_replicas`` is how far an operator may scale without a new release. ``unit`` says whom the
    split treats alike; without it the split is per request. ``capture`` says how many predictions
    are written down, and what of them; without it none is. ``egress`` names all that a replica may
    reach, as ``host:port``. Documents from before there was that member lack it: their replicas
    keep the host's network. ``server`` is ``slim``, without BentoML; left out, BentoML serves.
    ``limits`` are those of its requests: time, places, queue and rate. ``secrets`` are names of
    secrets of the environment, by the files in which replicas find them. With ``target_inflight``
    each node scales by load, from ``min_replicas`` (``replicas``, left out) to ``max_replicas``,
    and nobody else does: so many requests in flight is a replica to have. With none as the fewest
    it sleeps when nobody calls, and the first request wakes it.
    """

    AT = "/serving"
    replicas: Annotated[int, whole(1, MAX_REPLICAS)] = 1
    max_replicas: Annotated[int, ReadBy(_maximum)] = Field(
        default_factory=lambda beside: beside["replicas"]
    )
    memory_mb: Annotated[int, whole(MIN_MEMORY_MB, MAX_MEMORY_MB)] = 1024
    variables: Annotated[dict[str, str], ReadBy(_variables)] = {}
    egress: Annotated[list[str], ReadBy(_egress)] = []
    unit: Annotated[dict[str, str] | None, _read_by(_unit)] = None
    capture: Annotated[
        dict[str, Any] | None, _read_by(lambda value: Capture.read(value).document)
    ] = None
    server: Annotated[str | None, ReadBy(_server)] = None
    secrets: Annotated[dict[str, str] | None, ReadBy(_secrets)] = None
    target_inflight: Annotated[int | None, ReadBy(_target)] = None
    min_replicas: Annotated[int | None, ReadBy(_least)] = None
    limits: Annotated[dict[str, int] | None, ReadBy(_limits)] = None

    def undeclared_faults(self, declared: Iterable[str]) -> Faults:
        """Return what it sets though the version does not declare that it reads it."""
        detail = (
            "is not declared: register a version that names it in its `variables`, or leave it out"
        )
        names = undeclared(self.variables, declared)
        return [(f"{self.AT}/variables/{name}", detail) for name in names]
