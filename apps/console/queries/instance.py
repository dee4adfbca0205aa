"""What the instance is set up with, as this process reads it: never a secret."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from apps.console.queries.administration import AdministrationHead
from placet.kernel.config import TimestampAuthority, config

# What each setting is called, in groups; a setting is in one of them (a test sees to it).
GROUPS: dict[str, dict[str, str]] = {
    "Mail": {"email_url": "Mail server", "mail_from": "Sender"},
    "Single sign-on": {
        "oidc_issuer": "Identity provider",
        "oidc_name": "What its button says",
        "oidc_client_id": "Client id",
        "oidc_client_secret": "Client secret",
    },
    "Prometheus": {"prometheus_url": "Prometheus", "prometheus_token": "Token"},
    "Artifact store": {
        "artifact_url": "Store",
        "max_artifact_bytes": "Most bytes of a version",
        "max_evidence_bytes": "Most bytes of reported evidence of a version",
        "collect_after_days": "Days until what nothing needs is given up",
        "collect_grace_hours": "Hours until its bytes are removed",
    },
    "Addresses": {
        "mode": "Mode",
        "public_url": "Address of these pages",
        "allowed_hosts": "Hosts that are answered",
        "endpoint_url": "Address of endpoints",
        "listen": "Web listens at",
        "trusted_proxies": "Proxies that are believed",
        "tls_cert": "TLS certificate",
        "tls_key": "TLS key",
        "ca_file": "Trusted authorities",
    },
    "Services, secrets and folders": {
        "database_url": "Database",
        "database_owner_url": "Database for migrations",
        "broker_url": "Broker",
        "secret_key": "Key of sessions",
        "token_key": "Key of stored API tokens",
        "data_dir": "Data folder",
        "keys_dir": "Folder of keys",
        "runtimes_dir": "Folder of runtimes",
        "streams_dir": "Folder of streams' certificates",
        "witness_dir": "Folder of witnesses",
        "webhook_hosts": "Private hosts that webhooks may reach",
    },
    "Sign-in and requests": {
        "reauthenticate_after_minutes": "Minutes until one is asked again who one is",
        "token_requests_per_minute": "Requests of a token in a minute",
        "session_requests_per_minute": "Requests of a person in a minute",
        "max_body_bytes": "Most bytes of a request",
        "web_threads": "Threads of a web process",
        "log_level": "Server log from level",
        "debug": "Debug mode",
    },
    "Time-stamps": {
        "timestamp_authorities": "Time-stamping authorities",
        "timestamp_every_minutes": "Minutes between time-stamps",
        "timestamp_alert_after_hours": "Hours without one until there is an alert",
    },
    "Builds and quotas": {
        "build_memory_mb": "Memory of a build (MB)",
        "build_seconds": "Seconds of a build",
        "max_waiting_builds": "Waiting builds of a project",
        "max_endpoints": "Endpoints of a project",
        "max_target_endpoints": "Endpoints on a target",
        "max_targets": "Targets",
        "max_prefetched": "Builds that a target fetches ahead for a project",
        "max_streams": "Streams of the log of a project",
        "max_webhooks": "Webhooks of a project",
        "max_discussion_file_bytes": "Bytes of files in discussions of a project",
        "max_recalls": "Recalls of a project",
        "max_open_erasures": "Open erasures of an endpoint",
        "max_waiting_outcomes": "Outcomes a day that wait for their prediction",
    },
}
# The trial of a group, what its button says, and the setting without which there is nothing to try
TRIALS: dict[str, tuple[str, str, str]] = {
    "Mail": ("mail", "Send me a test mail", "email_url"),
    "Single sign-on": ("oidc", "Fetch its discovery document", "oidc_issuer"),
    "Prometheus": ("prometheus", "Ask it", "prometheus_url"),
    "Artifact store": ("store", "Write, read and delete a probe", ""),
}
UNSAID: tuple[Any, ...] = ("", None, [], SecretStr(""))
UNSET = {
    "email_url": "Not set: mail is only printed to the log",
    "oidc_issuer": "Not set: people sign in here",
    "prometheus_url": "Not set: plans cannot ask one",
    "artifact_url": "In the data folder",
    "timestamp_authorities": "None",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: what it is, its value as it may be shown, and the variable that makes it."""

    words: str
    value: str
    variable: str
    is_default: bool  # it is as Placet comes, and not nothing


@dataclass(frozen=True, slots=True)
class SettingGroup:
    """Settings that belong together, and the trial of them; '' where there is none."""

    title: str
    settings: Sequence[Setting]
    trial: str
    button: str


@dataclass(frozen=True, slots=True)
class InstancePage:
    """What the instance is set up with."""

    head: AdministrationHead
    groups: Sequence[SettingGroup]


def instance_page(head: AdministrationHead) -> InstancePage:
    """Return what the instance is set up with (no query)."""
    return InstancePage(head, [_group(title, named) for title, named in GROUPS.items()])


def _group(title: str, named: dict[str, str]) -> SettingGroup:
    trial, button, needed = TRIALS.get(title, ("", "", ""))
    if needed and not getattr(config(), needed):
        trial = button = ""
    return SettingGroup(title, [_setting(*each) for each in named.items()], trial, button)


def _setting(name: str, words: str) -> Setting:
    value, shown = getattr(config(), name), shown_value(name, getattr(config(), name))
    is_default = name not in config().model_fields_set and value not in UNSAID
    return Setting(words, shown, f"PLACET_{name.upper()}", is_default)


def shown_value(name: str, value: Any) -> str:
    """Return the value of a setting as a page may show it."""
    if isinstance(value, SecretStr):
        return "Set" if value.get_secret_value() else "Not set"
    if value in UNSAID:
        return UNSET.get(name, "Not set")
    if name.endswith(("_url", "_issuer")):
        return _bare(str(value))
    if isinstance(value, bool):
        return "On" if value else "Off"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(one.name for one in value if isinstance(one, TimestampAuthority))
    return str(value.name if isinstance(value, Path) and name == "tls_key" else value)


def _bare(address: str) -> str:
    """Return an address without whoever signs in there, and without its options; of one that is
    written in another way, such as a list of several, nothing but that it is there."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return "Set"
    if not host or re.search(r"[@;,\s]", parts.path):
        return "Set"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"
