# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Who may do what: projects, people, teams, roles, tokens; and background work."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Project(Record):
    """The scope of models and roles."""

    id: str
    slug: str
    name: str
    description: str
    artifact_quota: int
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage(Record):
    """How many bytes a project's files take, and how many they may; a quota of 0 is none."""

    # Bytes of files, equal contents once, of unfinished uploads, and of what was removed until it
    # is collected
    used: int
    quota: int  # Bytes; 0 is no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Record):
    """Somebody with an account."""

    id: str
    email: str
    name: str
    is_active: bool
    created_at: datetime
    last_sign_in_at: datetime | None
    # When they were last let in again, if ever; until they sign in after that they count as not yet
    # signed in
    reactivated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position(Record):
    """Where a person stands: line of defence, and to whom they report.

    Without a manager, and not at the top, their line is not known.
    """

    person: str
    line: str  # Line of defence; '': not set
    manager: str | None
    top: bool  # Reports to nobody: reporting lines end here
    set_by: str  # Who said so, '' where nobody has
    set_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupLink(Record):
    """A link, for once, with which a person sets a first password."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Team(Record):
    """People who hold roles together."""

    id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Record):
    """A person in a team."""

    id: str
    person: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount(Record):
    """A program's account; its owner answers for it."""

    id: str
    name: str
    owner: str
    is_active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Role(Record):
    """A role that somebody holds, in a project, an environment, or everywhere (no project)."""

    id: str
    role: str
    person: str | None
    team: str | None
    service_account: str | None
    project: str | None
    environment: str
    granted_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactorDemand(Record):
    """A role that counts for people only while they have a second factor to sign in with."""

    role: str
    demanded_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey(Record):
    """A passkey that a person signs decisions with, and who vouches for it.

    ``vouched_by`` is the person whose passkey enrolled it; ``None`` while it is offered, and for
    those that the root key enrolled.
    """

    id: str
    person: str
    name: str
    state: str
    fingerprint: str  # SHA-256 of the public key: what two people compare.
    rp_id: str
    vouched_by: str | None
    created_at: datetime
    enrolled_at: datetime | None
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(Record):
    """An API token, without its secret."""

    id: str
    name: str
    prefix: str
    person: str | None
    service_account: str | None
    scopes: tuple[str, ...]
    project: str | None
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken(Token):
    """A token just made; ``secret`` is shown this once."""

    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode(Record):
    """What the device asks with, and what a person confirms in the browser."""

    device_code: str  # the device's secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str  # with the code in it
    expires_in: int  # seconds
    interval: int  # seconds to wait between two questions


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceToken(Record):
    """The token that a person let the device have; it is given once."""

    access_token: str
    token_type: str
    expires_in: int  # seconds
    id: str
    name: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Record):
    """One permission, and where it holds."""

    permission: str
    project: str | None
    environment: str | None
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whoami(Record):
    """Who asks, and for whom, and what they may do."""

    kind: str
    id: str
    name: str
    accountable: str
    token: str | None
    second_factor: bool
    # Roles that count once you have a second factor to sign in with
    withheld_roles: tuple[str, ...]
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Record):
    """Work in the background."""

    id: str
    kind: str
    queue: str
    state: str
    project: str | None
    attempts: int
    error: str
    cancel_requested: bool
    due_at: datetime
    created_at: datetime
    finished_at: datetime | None
