"""Separation of duties: how few people could have a release approved, and by which steps. Pure."""

from apps.governance.duties.organisation import (
    DECIDES_AS,
    DRAFT,
    GLASS,
    MAKE,
    REQUEST,
    SIGNS_AS,
    Account,
    Binding,
    Branch,
    EnvironmentAccess,
    Organisation,
    OrganisationMember,
    PastAct,
    environment_access,
    mailbox,
)
from apps.governance.duties.paths import PathStep, demanded, permission_for
from apps.governance.duties.search import (
    SMALL,
    ShortestPath,
    fewest,
    locked_out,
    opened,
    opened_by_break_glass,
)
from apps.governance.duties.sentences import FACTOR_FIRST, SIGN_IN_FIRST, sentences

__all__ = [
    "DECIDES_AS",
    "DRAFT",
    "FACTOR_FIRST",
    "GLASS",
    "MAKE",
    "REQUEST",
    "SIGNS_AS",
    "SIGN_IN_FIRST",
    "SMALL",
    "Account",
    "Binding",
    "Branch",
    "EnvironmentAccess",
    "Organisation",
    "OrganisationMember",
    "PastAct",
    "PathStep",
    "ShortestPath",
    "demanded",
    "environment_access",
    "fewest",
    "locked_out",
    "mailbox",
    "opened",
    "opened_by_break_glass",
    "permission_for",
    "sentences",
]
