"""The methods of the SDK, grouped by noun; each is one operation of the API."""

from placet_client.nouns.audit import Audit
from placet_client.nouns.base import Listing, Noun
from placet_client.nouns.break_glass import BreakGlasses
from placet_client.nouns.builds import Bentos, Builds, Runtimes
from placet_client.nouns.deployments import Deployments
from placet_client.nouns.discussions import Threads
from placet_client.nouns.drills import Drills
from placet_client.nouns.governance import (
    Absences,
    Duties,
    Environments,
    Freezes,
    Policies,
    Releases,
)
from placet_client.nouns.identity import (
    Devices,
    Jobs,
    Passkeys,
    People,
    Projects,
    Roles,
    ServiceAccounts,
    Teams,
    Tokens,
)
from placet_client.nouns.lists import Lists
from placet_client.nouns.monitoring import Alerts, Objectives, Outcomes, Predictions
from placet_client.nouns.notices import Notices
from placet_client.nouns.recalls import Recalls
from placet_client.nouns.registry import (
    Aliases,
    Declarations,
    EvidenceOfVersions,
    Models,
    SigningKeys,
    VersionFacts,
    Versions,
)
from placet_client.nouns.retention import RetentionOfLog
from placet_client.nouns.search import Everything
from placet_client.nouns.secrets import Secrets
from placet_client.nouns.serving import Endpoints, Rollouts, Targets
from placet_client.nouns.streams import Streams
from placet_client.nouns.uploads import Uploads
from placet_client.nouns.webhooks import Webhooks

__all__ = [
    "Absences",
    "Alerts",
    "Aliases",
    "Audit",
    "Bentos",
    "BreakGlasses",
    "Builds",
    "Declarations",
    "Deployments",
    "Devices",
    "Drills",
    "Duties",
    "Endpoints",
    "Environments",
    "Everything",
    "EvidenceOfVersions",
    "Freezes",
    "Jobs",
    "Listing",
    "Lists",
    "Models",
    "Notices",
    "Noun",
    "Objectives",
    "Outcomes",
    "Passkeys",
    "People",
    "Policies",
    "Predictions",
    "Projects",
    "Recalls",
    "Releases",
    "RetentionOfLog",
    "Roles",
    "Rollouts",
    "Runtimes",
    "Secrets",
    "ServiceAccounts",
    "SigningKeys",
    "Streams",
    "Targets",
    "Teams",
    "Threads",
    "Tokens",
    "Uploads",
    "VersionFacts",
    "Versions",
    "Webhooks",
]
