"""Every setting an operator can make, as one typed class that refuses weak values."""

import json
import os
import re
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from placet.kernel.artifacts import BucketAddress, FolderAddress, artifact_address

ROOT = Path(__file__).resolve().parents[3]
WORKERS = ("control", "build")  # values of PLACET_PROCESS that sign no session and know no token
WEB_SECRETS = ("secret_key", "token_key")
EMBEDDED_SECRET = "embedded-only-not-a-secret-embedded-only-not-a-secret"  # noqa: S105


class TimestampAuthority(BaseModel):
    """Who stamps the log's checkpoints with the time (RFC 3161).

    ``ca_file`` (PEM) is pinned: a token counts when its certificate leads to one in that file. The
    address may be ``http://``: a token carries its own signature, and what is sent is a digest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")
    url: str
    ca_file: Path
    policy: str = Field(default="", pattern=r"^(?:[0-2](?:\.[0-9]{1,18}){1,20})?$")

    @field_validator("url")
    @classmethod
    def refuse_no_address(cls, value: str) -> str:
        """Say at start, not an hour later, that nobody can be asked there."""
        parts = urlsplit(value)
        plain = not (parts.username or parts.password or parts.fragment or re.search(r"\s", value))
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise ValueError("must be an http:// or https:// address without user and fragment")
        return value


class Config(BaseSettings):
    """Settings read from the environment, each ``PLACET_<NAME>``, or from a file ``placet_<name>``
    in the folder ``PLACET_SECRETS_DIR``; the environment wins.

    ``mode`` is ``embedded`` (one machine, our own PostgreSQL and Valkey on loopback, secrets made
    at first start) or ``production`` (your services, your secrets: weak or missing ones are
    refused before anything starts).
    """

    model_config = SettingsConfigDict(
        env_prefix="PLACET_",
        env_ignore_empty=True,
        extra="ignore",
        secrets_dir=os.environ.get("PLACET_SECRETS_DIR"),
        hide_input_in_errors=True,
    )

    mode: Literal["embedded", "production"] = "embedded"
    data_dir: Path = ROOT / ".placet"
    # connections
    database_url: str = ""  # the application's role: owns nothing
    database_owner_url: str = ""  # migrations only
    broker_url: str = ""
    artifact_url: str = ""  # file:///folder or s3://bucket/prefix?…; empty: in the data folder
    # web
    secret_key: SecretStr = SecretStr(EMBEDDED_SECRET)
    token_key: SecretStr = SecretStr(EMBEDDED_SECRET)  # HMAC key of stored API tokens
    public_url: str = "http://localhost:8000"
    allowed_hosts: str = "localhost"
    trusted_proxies: int = Field(default=0, ge=0)  # yours, each adding to X-Forwarded-For
    listen: str = "127.0.0.1:8000"  # gunicorn's address; without a certificate loopback only
    tls_cert: Path | None = None  # PEM files of the web process; read anew for each connection
    tls_key: Path | None = None
    ca_file: Path | None = None  # who vouches for endpoints and webhooks, instead of the usual
    endpoint_url: str = "http://localhost:8080"  # what clients call; the node's HAProxy
    web_threads: int = Field(default=16, ge=2, le=256)  # of each web process; each may hold
    # one connection to PostgreSQL, and one more listens for the nodes that wait
    debug: bool = False
    # how long ago the person in a browser session may have shown who they are, for what is asked of
    # somebody who has just done so: at most as long as a session lives
    reauthenticate_after_minutes: int = Field(default=15, ge=1, le=720)
    # mail: links and alerts; empty host means they are printed to the log in embedded mode
    email_url: str = ""
    mail_from: str = "placet@localhost"  # the sender
    # a Prometheus whose queries analyses may look at: empty means none
    prometheus_url: str = ""
    prometheus_token: SecretStr = SecretStr("")  # sent as a bearer token
    # OpenID Connect: empty means off
    oidc_name: str = "Single sign-on"
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    # keys: one folder; each process is given read access to its own file alone
    keys_dir: Path | None = None
    witness_dir: Path | None = None  # below it lie the folders of witnesses that keep files
    runtimes_dir: Path | None = None  # installed runtimes, shared by builds; large
    streams_dir: Path | None = None  # tokens and certificates of streams; the control worker's
    webhook_hosts: str = ""  # hosts, by name or address, that may have private addresses: a,b
    # who stamps the log's checkpoints with the time (JSON, docs/timestamps.md); how often each is
    # asked at most; how long a checkpoint may wait for its stamp before there is an alert
    timestamp_authorities: list[TimestampAuthority] = []
    timestamp_every_minutes: int = Field(default=60, ge=1, le=44_640)
    timestamp_alert_after_hours: int = Field(default=24, ge=1, le=8784)
    # limits
    max_artifact_bytes: int = Field(default=2 * 1024**3, ge=1)
    max_body_bytes: int = Field(default=2 * 1024**2, ge=1024)
    token_requests_per_minute: int = Field(default=6000, ge=0)  # each token; 0: no limit
    session_requests_per_minute: int = Field(default=1200, ge=0)  # each person in the browser
    build_memory_mb: int = Field(default=4096, ge=256)
    build_seconds: int = Field(default=900, ge=10)
    # quotas: how many of a kind there may be at a time
    max_endpoints: int = Field(default=100, ge=1)  # of a project
    max_target_endpoints: int = Field(default=500, ge=1)  # on a target; a node reports on so many
    max_waiting_builds: int = Field(default=20, ge=1)  # of a project, beside those that run
    # Outcomes of predictions that were not captured yet, of an endpoint in a day.
    max_waiting_outcomes: int = Field(default=1_000_000, ge=1)
    max_prefetched: int = Field(default=20, ge=0)  # Bentos of a project that a target fetches ahead
    max_streams: int = Field(default=10, ge=1)  # of a project; they are sent one by one
    max_webhooks: int = Field(default=10, ge=1)  # of a project
    max_targets: int = Field(default=1000, ge=1)
    max_evidence_bytes: int = Field(default=16 * 1024**2, ge=1024)  # reported of a version
    max_discussion_file_bytes: int = Field(default=1_000_000_000, ge=0)  # of a project
    max_recalls: int = Field(default=1000, ge=1)  # of a project, withdrawn ones included
    max_open_erasures: int = Field(default=1000, ge=1)  # of an endpoint
    # what nothing needs is given up after so many days, and its bytes removed so many hours later;
    # the hours must be longer than any build or upload takes from its first bytes to its end
    collect_after_days: int = Field(default=14, ge=1)
    collect_grace_hours: int = Field(default=24, ge=4)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def public_host(self) -> str:
        """Host and port of ``public_url``, as browsers write them: the usual port is left out."""
        parts = urlsplit(self.public_url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        return host if parts.port in (None, usual) else f"{host}:{parts.port}"

    @property
    def public_origin(self) -> str:
        """The origin of our pages (RFC 6454): the one that passkeys may be asked from."""
        return f"{urlsplit(self.public_url).scheme}://{self.public_host}"

    def is_by_our_pages(self, address: str) -> bool:
        """Tell whether models at ``address`` would answer at the host of our pages, or below it:
        cookies know no ports, and a passkey is asked from any host below its own.

        On ``localhost``, which has no other name, another port must do.
        """
        own = (urlsplit(self.public_url).hostname or "").rstrip(".")
        host = (urlsplit(address).hostname or "").rstrip(".")
        return host.endswith(f".{own}") or (host == own != "localhost")

    @property
    def keys(self) -> Path:
        """The folder of key files."""
        return self.keys_dir or self.data_dir / "keys"

    @property
    def runtimes(self) -> Path:
        """The folder of installed runtimes."""
        return self.runtimes_dir or self.data_dir / "runtimes"

    @property
    def streams(self) -> Path:
        """The folder of the files that let streams of the log in where they go."""
        return self.streams_dir or self.data_dir / "streams"

    @property
    def private_webhook_hosts(self) -> frozenset[str]:
        """The hosts that webhooks may reach at addresses that are not of the public network."""
        names = (name.strip().lower() for name in self.webhook_hosts.split(","))
        return frozenset(name for name in names if name)

    @property
    def witnesses(self) -> Path:
        """The folder below which witnesses that keep files have theirs."""
        return self.witness_dir or self.data_dir / "witnesses"

    @property
    def artifacts(self) -> Path:
        """The folder of files on their way in, and of the store unless it is a bucket."""
        address = self.artifact_address
        return address.path if isinstance(address, FolderAddress) else self.data_dir / "artifacts"

    @property
    def artifact_address(self) -> FolderAddress | BucketAddress:
        """Where artifacts lie."""
        if self.artifact_url:
            return artifact_address(self.artifact_url)
        return FolderAddress(self.data_dir / "artifacts")

    @field_validator("public_url", "endpoint_url")
    @classmethod
    def refuse_other_spellings(cls, value: str, info: ValidationInfo) -> str:
        """Browsers send an international name as ``xn--…``, and one with a dot at its end as
        another name: what is compared with theirs would never be the same."""
        name, host = f"PLACET_{(info.field_name or '').upper()}", urlsplit(value).hostname or ""
        if not host.isascii():
            raise ValueError(f"{name} must have an ASCII host: write an international one as xn--…")
        if info.field_name == "public_url" and host.endswith("."):
            raise ValueError(f"{name} must have a host without a dot at its end")
        return value

    @field_validator("artifact_url")
    @classmethod
    def refuse_wrong_address(cls, value: str) -> str:
        """Say at start, not at the first upload, that the address cannot be right."""
        if value:
            artifact_address(value)
        return value

    @field_validator("timestamp_authorities")
    @classmethod
    def refuse_twins(cls, value: list[TimestampAuthority]) -> list[TimestampAuthority]:
        """Two of one name could not be told apart."""
        names = [one.name for one in value]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two authorities are called {', '.join(sorted(twice))}")
        return value

    @field_validator("prometheus_url")
    @classmethod
    def refuse_no_url(cls, value: str) -> str:
        """Say at start, not at the first look, that it cannot be asked."""
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value

    @model_validator(mode="after")
    def keep_secrets_from_workers(self) -> "Config":
        """Give a worker secrets of its own: with those of web it could open anybody's session."""
        if os.environ.get("PLACET_PROCESS") not in WORKERS:
            return self
        variables = [f"PLACET_{n.upper()}" for n in WEB_SECRETS if n in self.model_fields_set]
        if variables and self.mode == "production":
            raise ValueError(f"{' and '.join(variables)} must not be set for a worker: web's alone")
        for name in WEB_SECRETS:
            setattr(self, name, SecretStr(secrets.token_urlsafe(64)))
        return self

    @model_validator(mode="after")
    def find_embedded(self) -> "Config":
        """Fill in what ``manage.py up`` wrote down, so that a command run by hand finds it."""
        if self.mode != "embedded" or self.database_url or not self.embedded_file.exists():
            return self
        embedded = json.loads(self.embedded_file.read_text())
        for name in type(self).model_fields:
            if name in embedded and name not in self.model_fields_set:
                value = embedded[name]
                secret = name in (*WEB_SECRETS, "prometheus_token")
                setattr(self, name, SecretStr(value) if secret else value)
        return self

    @property
    def embedded_file(self) -> Path:
        """Where the embedded services' addresses and secrets stand (mode 0600)."""
        return self.data_dir / "embedded.json"

    @model_validator(mode="after")
    def refuse_weak(self) -> "Config":
        """Outside the embedded mode every secret must be long, distinct and not our default."""
        if self.mode == "embedded":
            return self
        faults = [
            f"PLACET_{name.upper()} must be at least 50 characters and your own"
            for name in WEB_SECRETS
            if len(value := getattr(self, name).get_secret_value()) < 50
            or value == EMBEDDED_SECRET
            or len(set(value)) < 10
        ]
        if not faults and self.secret_key.get_secret_value() == self.token_key.get_secret_value():
            faults.append("PLACET_TOKEN_KEY must differ from PLACET_SECRET_KEY")
        faults += [
            f"PLACET_{name.upper()} must be set"
            for name in ("database_url", "broker_url")
            if not getattr(self, name)
        ]
        if not self.public_url.startswith("https://"):
            faults.append("PLACET_PUBLIC_URL must be an https:// address")
        if self.is_by_our_pages(self.endpoint_url):
            faults.append(
                "PLACET_ENDPOINT_URL must have another host than PLACET_PUBLIC_URL, and none below "
                "it: passkeys and cookies of people would be within the reach of models"
            )
        if self.oidc_issuer and not self.oidc_issuer.startswith("https://"):
            faults.append("PLACET_OIDC_ISSUER must be an https:// address: it says who comes in")
        if "*" in self.allowed_hosts:
            faults.append("PLACET_ALLOWED_HOSTS must name your hosts: links in mails hold them")
        if self.debug:
            faults.append("PLACET_DEBUG must be off")
        if bool(self.tls_cert) != bool(self.tls_key):
            faults.append("PLACET_TLS_CERT and PLACET_TLS_KEY must both be set, or neither")
        if faults:
            raise ValueError("; ".join(faults))
        return self


@lru_cache
def config() -> Config:
    """Return the settings of this process, read once."""
    return Config()
