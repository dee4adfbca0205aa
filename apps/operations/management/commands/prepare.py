"""``manage.py prepare``: what the first start must make, repeated harmlessly at every start."""

import json
import os
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from apps.audit.actions import record
from apps.identity.actions import create_person, create_project, grant_role, setup_link
from apps.identity.models import Project, User
from apps.serving.actions import create_target, issue_join_token, update_target
from apps.serving.models import Node, Target
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from placet.kernel.keystore import ensure_keys

ADMIN = "admin@placet.local"
DEMO_PROJECT, PASSWORDS = "clinic", "demo-people.json"
DEMO_PEOPLE = {
    "contributor": ("dana@placet.local", "Dana Scientist"),
    "reviewer": ("ravi@placet.local", "Ravi Reviewer"),
    "approver": ("alma@placet.local", "Alma Approver"),
    "operator": ("omar@placet.local", "Omar Operator"),
    "auditor": ("aude@placet.local", "Aude Auditor"),
}


class Command(BaseCommand):
    """Makes keys, the administrator, the local target and, if asked, the demo's people."""

    help = "Make keys, the first administrator and the local target where they are missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option."""
        parser.add_argument("--demo", action="store_true", help="also five people and a project")
        parser.add_argument(
            "--join-token", type=Path, help="write the node's join token there, not to the output"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line of JSON for the supervisor: link, join token, people."""
        ensure_keys(config().keys)
        facts: dict[str, Any] = {}
        if not User.objects.exists():
            facts |= make_administrator(demo=options["demo"])
        target = local_target()
        self.name_those_by_our_pages()
        if not Node.objects.filter(target=target).exists():
            token = issue_join_token(target, actor=SYSTEM)
            if options["join_token"]:
                hand_over(options["join_token"], token)
            else:
                facts["join_token"] = token
        if options["demo"]:
            facts["people"] = demo_people(demo_project(target))
            facts["password"] = demo_passwords().get("admin", "")
        facts["administrator"] = ADMIN
        self.stdout.write(json.dumps(facts))

    def name_those_by_our_pages(self) -> None:
        """Say which targets have an address that would be refused now: where else their node is
        reached nobody here knows."""
        for row in Target.objects.exclude(url="").order_by("name"):
            if config().is_by_our_pages(row.url):
                edit = f"placet target edit {row.name} --url https://…"
                self.stderr.write(f"{row.name} is at Placet's own host, or below it: {edit}")


def hand_over(path: Path, token: str) -> None:
    """Write the token where only our group, the node's, reads it."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o640)
    draft.write_text(token)
    draft.replace(path)


def make_administrator(*, demo: bool) -> dict[str, str]:
    """Make the access administrator, who sets a password by a one-time link; in a demo they have
    one, as its people do."""
    password = new_password("admin") if demo else None
    with record(SYSTEM):
        person = create_person(email=ADMIN, name="Administrator", password=password, actor=SYSTEM)
        grant_role(role="admin", person=person, actor=SYSTEM)
        return {} if demo else {"setup_link": setup_link(person)}


def local_target() -> Target:
    """Return the target of this machine's own node, made at the first start with what the machine
    has for models. An address by our pages, as older releases gave it, gives way to ours."""
    known = Target.objects.filter(name="local").first()
    url, is_by_our_pages = config().endpoint_url, config().is_by_our_pages
    if known is None:
        memory = for_models(physical_mb())
        return create_target(name="local", url=url, capacity_mb=memory, actor=SYSTEM)
    if is_by_our_pages(known.url) and not is_by_our_pages(url):
        return update_target(known, url=url, actor=SYSTEM)
    return known


def physical_mb() -> int:
    """Return the memory of this machine in MB."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20


def for_models(memory_mb: int) -> int:
    """Return what of a machine's memory models may reserve: three quarters, and no less than 3 GiB
    is left to Placet itself, the builds and the system, if the machine has so much."""
    return max(512, memory_mb - max(3072, memory_mb // 4))


def demo_project(target: Target) -> Project:
    """Return the demo's project, made at the first demo."""
    known = Project.objects.filter(slug=DEMO_PROJECT).first()
    if known:
        return known
    return create_project(
        slug=DEMO_PROJECT,
        name="Clinic",
        description="Models that support diagnosis.",
        actor=SYSTEM,
    )


def demo_people(project: Project) -> list[dict[str, str]]:
    """Make the five people once; return who they are, with their passwords."""
    for role, (email, name) in DEMO_PEOPLE.items():
        if User.objects.filter(email=email).exists():
            continue
        password = new_password(role)
        role_project = None if role in ("operator", "auditor") else project
        # The data scientist may review the work of others, so that a refusal is about one's own.
        roles = (role, "reviewer") if role == "contributor" else (role,)
        with record(SYSTEM):  # somebody without their roles would be skipped at the next start
            person = create_person(email=email, name=name, password=password, actor=SYSTEM)
            for held in roles:
                grant_role(role=held, person=person, project=role_project, actor=SYSTEM)
    passwords = demo_passwords()
    return [
        {"role": role, "email": email, "name": name, "password": passwords.get(role, "(yours)")}
        for role, (email, name) in DEMO_PEOPLE.items()
    ]


def demo_passwords() -> dict[str, str]:
    """Return the passwords of the demo by role, which this machine's data folder alone knows."""
    path = config().data_dir / PASSWORDS
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return known


def new_password(role: str) -> str:
    """Make a password for somebody of the demo and keep it, readable by its owner alone."""
    password = f"{secrets.token_hex(2)}-{secrets.token_hex(3)}-{secrets.token_hex(2)}"
    known, path = demo_passwords() | {role: password}, config().data_dir / PASSWORDS
    path.touch(mode=0o600)
    path.write_text(json.dumps(known))
    return password
