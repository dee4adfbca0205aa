"""Secrets are sought wherever a whole platform wrote anything, after all that happens to them.

They are set on the page and by the command line, named in a release, read by a replica that prints
one, rotated, and revoked. A word that is no secret goes the way of a variable meanwhile: a search
that does not find it would not find a secret either.
"""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from html import unescape
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.operations.demo.people import DemoPerson
from apps.operations.demo.story import BASE, PROJECT, SCIENTIST, DemoStory
from placet.embedded.postgres import Cluster, packaged_program
from placet.kernel.clock import now, rfc3339
from placet_client import Client
from tests.contract.operations import operations
from tests.e2e.builds.test_bento_project import project
from tests.support.installation import ROOT, Running, signed_in
from tests.support.leaks import found_in, leaks
from tests.support.processes import Process, descendants, until

pytestmark = pytest.mark.e2e
PAGE = f"/projects/{PROJECT}/environments/staging/secrets/"
SERVICE = b"""import hashlib
import os
from pathlib import Path

import bentoml


@bentoml.service(name="Keeper")
class Greeter:
    @bentoml.api
    def greet(self, name: str, times: int = 1) -> dict:
        folder = Path(os.environ.get("PLACET_SECRETS", "/nowhere"))
        held = {p.name: p.read_bytes() for p in folder.glob("*")} if folder.exists() else {}
        if name == "say":
            print("the password is", held["DB_PASSWORD"].decode(), flush=True)
        told = {key: hashlib.sha256(value).hexdigest() for key, value in sorted(held.items())}
        return {"text": str(told) if held else "Hello " + name}
"""
SAID = {"expected": [{"text": "Hello Ada"}, {"text": "Hello Bo"}]}
ID = re.compile(r"\b[a-z]{3}_[0-9a-f]{32}\b")
PARAMETER = re.compile(r"{(\w+)}")
KNOWN = {"slug": [PROJECT], "name": ["greeter", "staging"], "number": ["1"], "index": ["1"]}
KNOWN |= {"environment": ["staging"]}
PREFIXES = {"endpoint": "end", "release": "rel", "rollout": "rol", "build": "bld", "job": "job"}
PREFIXES |= {"decision": "dec", "person": "per", "secret": "sec", "evidence": "evd"}
MOST_PAGES = 120


def made_up(what: str) -> str:
    """Return a value that nothing else has, with what others write in another way."""
    return f'{what}/+"{secrets.token_hex(12)}"ünïque'


@dataclass
class Told:
    """What was done, and the values."""

    placet: Running
    people: dict[str, DemoPerson]
    scientist: Client
    word: str = field(default_factory=lambda: f"no-secret-{secrets.token_hex(12)}")
    passwords: list[str] = field(default_factory=lambda: [made_up("pass") for _ in range(2)])
    token: str = field(default_factory=lambda: made_up("token"))
    endpoint: dict[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> list[str]:
        """All that is sought."""
        return [*self.passwords, self.token]

    def ask(self, name: str) -> str:
        """Have the replica answer: what it holds, by digest."""
        answer = httpx.post(f"{self.endpoint['url']}/greet", json={"name": name}, timeout=30)
        return str(answer.json()["text"]) if answer.status_code == 200 else ""


@pytest.fixture(scope="module")
def told(placet: Running) -> Iterator[Told]:
    """Two secrets, in use: one was rotated, and printed by who has it."""
    scopes = [*SCIENTIST, "secret.use"]
    with signed_in(placet) as people, people["contributor"].client(scopes) as scientist:
        found = Told(placet, people, scientist)
        story = DemoStory(placet.url, people, lambda line: None)
        story.policies()
        set_on_the_page(found, "db", found.passwords[0])
        by_command(found, "set", f"{PROJECT}/staging/token", found.token)
        go_live(found, story)
        until(lambda: digest(found.passwords[0]) in found.ask("Ada"), 60, "its first password")
        found.ask("say")
        by_command(found, "rotate", f"{PROJECT}/staging/db", found.passwords[1])
        until(lambda: digest(found.passwords[1]) in found.ask("Ada"), 90, "its second password")
        assert digest(found.token) in found.ask("Ada")
        found.ask("say")
        yield found


def set_on_the_page(told: Told, name: str, value: str) -> None:
    """Have the operator set it there."""
    operator = told.people["operator"]
    operator.confirm()
    page = operator.http.get(PAGE)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    sent = {"name": name, "value": value, "csrfmiddlewaretoken": token[1], "next": PAGE}
    referer = {"Referer": f"{told.placet.url}{PAGE}"}
    answer = operator.http.post(f"{PAGE}set", data=sent, headers=referer)
    assert f"Set version 1 of {name}." in unescape(answer.text)


def by_command(told: Told, verb: str, secret: str, value: str) -> None:
    """Have the operator do it with the command line, which reads the value from a pipe."""
    scopes = ["endpoint.view", "project.view", "secret.set"]
    asked = {"name": "secrets", "scopes": scopes, "expires_at": rfc3339(now() + timedelta(hours=1))}
    token = told.people["operator"].do("POST", "/tokens", asked)["secret"]
    done = subprocess.run(
        [sys.executable, "-m", "placet_client", "secret", verb, secret],
        input=value,
        text=True,
        capture_output=True,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "platform"),
            "PLACET_URL": told.placet.url,
            "PLACET_TOKEN": token,
        },
    )
    assert done.returncode == 0, done.stderr
    assert leaks((done.stdout + done.stderr).encode(), value) == []


def digest(value: str) -> str:
    """Return what the replica says of a value."""
    return sha256(value.encode()).hexdigest()


def go_live(told: Told, story: DemoStory) -> None:
    """Register a Bento that reads them, build it, and have it approved with both."""
    trained, client = project(SERVICE, **SAID), told.scientist
    client.post(f"{BASE}/models", {"name": "greeter", "description": told.word})
    version = client.post(f"{BASE}/models/greeter/versions", trained.facts)
    path = f"{BASE}/models/greeter/versions/{version['number']}"
    folder = told.placet.data.parent / "project"
    for name, data in trained.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        client.uploads.send(PROJECT, "greeter", version["number"], file, name)
    client.post(f"{path}/evidence", {"kind": "metrics", "data": {"auc": 0.95}})
    client.post(f"{path}/finalise")
    story.build(client, {"path": path})
    release = client.post(
        f"{BASE}/releases",
        {
            "model": "greeter",
            "version": version["number"],
            "environment": "staging",
            "endpoint": "greeter",
            "serving": {
                "secrets": {"DB_PASSWORD": "db", "api.token": f"{PROJECT}/token"},
                "variables": {"GREETED_BY": told.word},
            },
        },
    )
    told.people["reviewer"].decide(release, "Reads what it needs.")
    shown = client.get(f"/releases/{release['id']}")["release"]
    missing = [gate["title"] for gate in shown["gates"] if not gate["passed"]]
    assert not missing, missing
    story.until_live(client, release["id"])
    told.endpoint = told.people["operator"].do("GET", f"/endpoints/{release['endpoint_id']}")


def test_no_file_has_one_but_the_output_of_the_replica_that_printed_it(told: Told) -> None:
    """Its database's, the broker's, the node's and HAProxy's among them, as they lie there."""
    data = told.placet.data
    assert found_in(data / "node", told.word), "the search finds a variable of the replica"
    logs = data / "node/logs"
    printed = {path.name for path in logs.glob("*.log")}
    assert found_in(logs, *told.passwords), "it printed both"
    assert found_in(data, *told.values, but=printed) == []
    home = Cluster.at(data).data
    assert found_in(home, told.word), "the search finds a variable in the database's files"
    assert found_in(home, *told.values) == []
    assert leaks(told.placet.output.read_bytes(), *told.values) == []


def test_no_process_has_one_among_its_words_or_variables(told: Told) -> None:
    ours = processes(told)
    assert [p for p in ours if leaks(p.environment.encode(), told.word)], "a replica's variable"
    said = "\0".join(p.command + p.environment for p in ours).encode()
    assert leaks(said, *told.values) == []


def processes(told: Told) -> list[Process]:
    """Return all that the platform started."""
    home = json.loads((told.placet.data / "postgres.json").read_text())["home"]
    return descendants(re.compile("|".join(map(re.escape, (str(told.placet.data), home)))))


def test_no_dump_and_no_backup_has_one(told: Told, tmp_path: Path) -> None:
    url = Cluster.at(told.placet.data).url("postgres")
    dump = tmp_path / "dump.sql"
    subprocess.run([packaged_program("pg_dump"), url, f"--file={dump}"], check=True)
    assert leaks(dump.read_bytes(), told.word), "the search finds a variable in the dump"
    assert leaks(dump.read_bytes(), *told.values) == []

    backup, keys = tmp_path / "backup", tmp_path / "keys"
    done = told.placet.manage("backup", str(backup), "--keys", str(keys))
    assert done.returncode == 0, done.stderr
    for packed in backup.glob("*.dump"):
        command = [str(packaged_program("pg_restore")), "--file=-", str(packed)]
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        packed.with_suffix(".sql").write_bytes(text)
    assert found_in(backup, told.word), "the search finds a variable in the backup"
    assert found_in(backup, *told.values) == found_in(keys, *told.values) == []


def test_no_answer_and_no_page_has_one(told: Told) -> None:
    """Of what these people can read: their first hundred and twenty pages by links, and the API by
    the ids that it says."""
    for role in ("operator", "auditor", "contributor"):
        person = told.people[role]
        for what, found in (("pages", walked(person)), ("answers", asked(person))):
            print(f"{role}: {len(found)} {what}")
            assert len(found) > 30
            assert any(leaks(text, told.word) for text in found.values()), "a variable is found"
            assert [at for at, text in found.items() if leaks(text, *told.values)] == []


def walked(person: DemoPerson) -> dict[str, bytes]:
    """Return the pages that somebody comes to from their first one, by address without query."""
    found, ahead = dict[str, bytes](), [f"/projects/{PROJECT}/", "/", PAGE]
    while ahead and len(found) < MOST_PAGES:
        path = ahead.pop(0)
        if path in found:
            continue
        answer = person.http.get(path)
        found[path] = answer.content
        links = re.findall(r'href="(/[^"?#]*)', answer.text)
        ahead += [link for link in links if not link.startswith(("/docs/", "/static/", "/admin/"))]
    return found


def asked(person: DemoPerson) -> dict[str, bytes]:
    """Return what the API answers to GET at each of its addresses, with a few of the ids that its
    other answers say."""
    found, ids = dict[str, bytes](), dict[str, None]()
    reads = [one.route.removeprefix("/api/v1") for one in operations() if one.method == "GET"]
    for template in sorted(reads, key=lambda path: path.count("{")):
        for path in filled(template, [*ids]):
            answer = person.api("GET", path)
            if answer.status_code == 200:
                found[path] = answer.content
                ids |= dict.fromkeys(ID.findall(answer.text))
    return found


def filled(template: str, ids: list[str]) -> Iterator[str]:
    """Yield a path with the values that its parameters may have."""
    names = PARAMETER.findall(template)
    values = [KNOWN.get(name) or [i for i in ids if i[:3] == PREFIXES.get(name)] for name in names]
    for chosen in product(*(some[:3] for some in values)):
        yield template.format(**dict(zip(names, chosen, strict=True)))


def test_once_revoked_its_name_is_all_that_is_left(told: Told) -> None:
    operator = told.people["operator"]
    path = f"/endpoints/{told.endpoint['id']}"
    operator.confirm()
    operator.do("POST", f"{path}/stop", {"reason": "It is not needed any more."})
    until(lambda: told.ask("Ada") == "", 60, "the end of the replica")
    for secret in operator.do("GET", f"{BASE}/environments/staging/secrets")["items"]:
        by_command(told, "revoke", f"{PROJECT}/staging/{secret['name']}", "")
    kept = told.placet.data / "node/secrets"
    assert kept.is_dir()
    until(lambda: not [*kept.iterdir()], 60, "the end of what the node keeps of them")
    rows = told.placet.sql("SELECT sealed FROM serving_secretversion")
    assert {row["sealed"] for row in rows} == {""}
