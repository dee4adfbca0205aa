"""One endpoint of a state: as it is written, and as it is read."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NotRequired, TypedDict

from placet_protocol.fields import (
    MAX_ENVIRONMENT,
    ProtocolError,
    hex_digest,
    identifier,
    member,
    name,
    optional,
)
from placet_protocol.state.revisions import (
    DesiredRevision,
    RefusedRevision,
    RevisionEntry,
    read_revision,
    refused_revision,
)


class EndpointEntry(TypedDict):
    """A stable path and the revisions behind it, as a state says it."""

    id: str
    project: str
    project_slug: str
    environment: str
    name: str
    path: str
    api_key_required: bool
    keys: list[str]  # SHA-256 hex of API keys
    revisions: list[RevisionEntry]
    stable: NotRequired[str | None]
    former: NotRequired[list[str]]  # deleted endpoints that had this path, the newest first


@dataclass(frozen=True)
class DesiredEndpoint:
    """A stable path and the revisions behind it."""

    id: str
    project: str
    project_slug: str
    environment: str
    name: str
    path: str
    api_key_required: bool
    keys: tuple[str, ...]  # SHA-256 hex of API keys
    revisions: tuple[DesiredRevision, ...]
    stable: str = ""  # the revision that is live
    refused: tuple[RefusedRevision, ...] = ()
    former: tuple[str, ...] = ()  # deleted ones that had this path
    # what it was read from, to be kept
    entry: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class UnreadableEndpoint:
    """An endpoint that cannot be read. What served there before goes on as it was."""

    id: str  # '' when not even that can be read: it may be any
    reason: str


def endpoint_path(project_slug: str, environment: str, name: str) -> str:
    """Return the stable path that clients call."""
    return f"/{project_slug}/{environment}/{name}"


def read_endpoint(data: object) -> DesiredEndpoint:
    """Read one endpoint of a state; its path must be what its names say.

    A fault inside a revision refuses that revision. Any other is a ``ProtocolError``.
    """
    slug, called = name(data, "project_slug"), name(data, "name")
    environment = name(data, "environment", MAX_ENVIRONMENT)
    path = member(data, "path", str)
    if path != endpoint_path(slug, environment, called):
        raise ProtocolError(f"the path {path[:200]!r} is not the endpoint's own")
    pk = identifier(data, "id")
    good, refused = _revisions(member(data, "revisions", list), pk)
    return DesiredEndpoint(
        id=pk,
        project=identifier(data, "project"),
        project_slug=slug,
        environment=environment,
        name=called,
        path=path,
        api_key_required=member(data, "api_key_required", bool),
        keys=tuple(hex_digest(key) for key in member(data, "keys", list)),
        revisions=tuple(good),
        stable=optional(data, "stable"),
        refused=tuple(refused),
        former=_former(data),
        entry=data if isinstance(data, dict) else {},
    )


def read_endpoints(
    items: Iterable[object],
) -> tuple[tuple[DesiredEndpoint, ...], tuple[UnreadableEndpoint, ...]]:
    """Read the endpoints of a state: those that can be read, and those that are left out.

    Entries that name the same endpoint or path are left out, all of them: nobody can say which one
    was meant. Revisions of the same id are refused, all of them.
    """
    endpoints, left_out = list[DesiredEndpoint](), list[UnreadableEndpoint]()
    for item in items:
        try:
            endpoints.append(read_endpoint(item))
        except ProtocolError as error:
            left_out.append(UnreadableEndpoint(_id_of(item), str(error)))
    named = Counter(e.id for e in endpoints) + Counter(one.id for one in left_out if one.id)
    placed = Counter(e.path for e in endpoints)
    twice = {e.id for e in endpoints if named[e.id] > 1 or placed[e.path] > 1}
    left_out += [
        UnreadableEndpoint(pk, "it, or its path, stands twice in this state")
        for pk in sorted(twice)
    ]
    return _without_twins([e for e in endpoints if e.id not in twice]), tuple(left_out)


def _former(data: Any) -> tuple[str, ...]:
    """Read whose path it was before. An older platform does not say; nobody's is not said."""
    items = member({"former": []} | data, "former", list)
    return tuple(identifier({"former": item}, "former") for item in items)


def _revisions(
    items: Iterable[object], endpoint: str
) -> tuple[list[DesiredRevision], list[RefusedRevision]]:
    good, refused = list[DesiredRevision](), list[RefusedRevision]()
    for item in items:
        try:
            good.append(read_revision(item))
        except ProtocolError as error:
            refused.append(refused_revision(item, endpoint, str(error)))
    return good, refused


def _without_twins(endpoints: list[DesiredEndpoint]) -> tuple[DesiredEndpoint, ...]:
    ids = Counter(r.id for e in endpoints for r in e.revisions)
    ids.update(r.id for e in endpoints for r in e.refused)
    if not any(ids[r.id] > 1 for e in endpoints for r in e.revisions):
        return tuple(endpoints)
    twice = "a revision of this id stands twice in this state"
    return tuple(
        replace(
            e,
            revisions=tuple(r for r in e.revisions if ids[r.id] == 1),
            refused=(
                *e.refused,
                *(
                    RefusedRevision(r.id, e.id, r.bento_digest, twice)
                    for r in e.revisions
                    if ids[r.id] > 1
                ),
            ),
        )
        for e in endpoints
    )


def _id_of(data: object) -> str:
    try:
        return identifier(data, "id")
    except ProtocolError:
        return ""
