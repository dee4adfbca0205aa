"""What docker-compose.yml and the Dockerfile promise, as far as reading them can tell.

``make compose`` tries them for real.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from placet.kernel.config import Config

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"setup", "migrate", "prepare"}
LASTING = set(SERVICES) - ONCE
DOCKERFILE = (ROOT / "platform/deploy/Dockerfile").read_text()


def sources(service: str) -> set[str]:
    """Return the volumes and folders that a service sees, by name or default name."""
    found = set()
    for volume in SERVICES[service].get("volumes", []):
        named = re.match(r"\$\{\w+:-([\w-]+)\}:", volume)
        found.add(named[1] if named else volume.partition(":")[0])
    return found


def test_the_services_are_those_of_the_design() -> None:
    assert {"postgres", "redis", "web", "worker", "worker-build", "node"} == LASTING


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    user, _, group = service["user"].partition(":")
    assert int(user) >= 999 and int(group) >= 999
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert service["init"] is True
    assert service["mem_limit"] and service["pids_limit"]


@pytest.mark.parametrize("name", sorted(LASTING))
def test_every_lasting_service_has_a_health_check_and_is_started_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_whoever_waits_waits_for_health_or_a_good_end(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert how == {"condition": wanted}


def test_only_what_runs_other_peoples_code_in_a_sandbox_goes_without_dockers_own() -> None:
    loose = {n for n, s in SERVICES.items() if "seccomp:unconfined" in s["security_opt"]}
    assert loose == {"worker-build", "node"}


def test_only_web_and_node_are_reached_from_outside() -> None:
    assert {n for n, s in SERVICES.items() if "ports" in s} == {"web", "node"}
    for name in ("web", "node"):
        (port,) = SERVICES[name]["ports"]
        assert port.startswith("${PLACET_BIND:-127.0.0.1}:")


def test_no_two_processes_are_the_same_user() -> None:
    users = [SERVICES[n]["user"].partition(":")[0] for n in ("web", "worker", "worker-build")]
    users.append(SERVICES["node"]["user"].partition(":")[0])
    assert len(set(users)) == 4
    assert {SERVICES[n]["user"] for n in ONCE} == {"10000:10000"}


def test_a_node_sees_neither_database_nor_broker_nor_secret_nor_key() -> None:
    assert sources("node") == {"node", "join", "tls"}
    assert set(SERVICES["node"]["networks"]) == {"edge"}
    assert not {k for k in SERVICES["node"]["environment"] if "SECRET" in k or "DATABASE" in k}
    assert COMPOSE["networks"]["data"] == {"internal": True}


def test_only_migrations_use_the_owner_of_the_tables() -> None:
    owners = {
        n
        for n, s in SERVICES.items()
        if s.get("environment", {}).get("PLACET_SECRETS_DIR", "").endswith("/owner")
    }
    assert owners == {"migrate"}


def test_what_signs_sessions_is_known_to_web_and_to_one_shot_commands_alone() -> None:
    places = {
        n: s["environment"]["PLACET_SECRETS_DIR"].rpartition("/")[2]
        for n, s in SERVICES.items()
        if "PLACET_SECRETS_DIR" in s.get("environment", {})
    }
    assert places == {
        "migrate": "owner",
        "prepare": "web",
        "web": "web",
        "worker": "worker",
        "worker-build": "worker",
    }


def test_every_variable_has_a_default_and_is_named_in_the_example() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / ".env.example").read_text()
    found = set(re.findall(r"\$\{(\w+)", text))
    assert found == set(re.findall(r"\$\{(\w+)(?::?-|:\+)", text))  # none without a default
    named = set(re.findall(r"^#?(\w+)=", example, re.MULTILINE))
    assert found - named == {
        "PLACET_OIDC_NAME",
        "PLACET_LOG_LEVEL",
        "POSTGRES_IMAGE",
        "REDIS_IMAGE",
        "WEB_CONCURRENCY",
    }
    assert named <= found


def test_who_calls_webhooks_and_who_adds_them_is_told_their_bounds() -> None:
    for name in ("web", "worker"):
        told = SERVICES[name]["environment"]
        assert told["PLACET_WEBHOOK_HOSTS"] == "${PLACET_WEBHOOK_HOSTS:-}"
        assert told["PLACET_MAX_WEBHOOKS"] == "${PLACET_MAX_WEBHOOKS:-10}"
    known = {name: Config.model_fields[name].default for name in ("webhook_hosts", "max_webhooks")}
    assert known == {"webhook_hosts": "", "max_webhooks": 10}


def test_the_image_is_built_from_locks_and_runs_as_nobody_special() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    assert "ARG BASE_IMAGE=python:3.13-slim" in stages[0]
    assert [stage.split()[0] for stage in stages[1:]] == ["scratch", *["${BASE_IMAGE}"] * 2]
    build, final = stages[2], stages[3]
    for line in re.findall(r"pip install.*?-r \S+", build.replace("\\\n", " ")):
        assert "--require-hashes" in line
    assert len(re.findall(r"pip install", build)) == 3
    assert "--compile-bytecode" in build and "compileall" in build
    assert re.findall(r"^USER (\S+)", final, re.MULTILINE) == ["10001:10000"]
    assert "HEALTHCHECK" in final
    assert "COPY ." not in DOCKERFILE
    assert "/opt/tools" not in final


def test_no_layer_can_hold_a_secret() -> None:
    assert not re.findall(r"^(?:ARG|ENV)[^\n]*(?:SECRET|PASSWORD|TOKEN|_KEY=)", DOCKERFILE, re.M)
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    ignored = [line for line in lines if not line.startswith("#")]
    assert ignored[0] == "*"
    for pattern in ("**/.env*", "**/*.key", "**/*.pem"):
        assert pattern in ignored
