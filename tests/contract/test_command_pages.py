"""Every command that makes or changes something ends with the address of the page to go on at.

The commands are typed against an API that answers what its document promises. Which page each has
stands here by hand; that no command is missing is computed, and so is who may do what it asks for:
the page opens for all of them.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from django.urls import get_resolver, resolve

from placet_client import Client, pages
from placet_client.cli import app, main
from placet_client.cli.command import TIMED_OUT
from placet_client.register import Registered
from tests.contract.operations import Operation
from tests.contract.test_client import Api
from tests.permissions.table import COLUMNS, rows
from tests.permissions.world import build

VERSION = "risk/churn:3"
# command → the page, and what else is typed; {file} is one that there is
PAGES = {
    "project create": ("project", "risk"),
    "project edit": ("project", "risk --name Risk"),
    "project quota": ("project", "risk 7"),
    "model create": ("model", "risk churn"),
    "model edit": ("model", "risk/churn new"),
    "model register": ("version", "--project risk --name churn --from . --build"),
    "alias set": ("version", f"{VERSION} champion"),
    "alias remove": ("model", "risk/churn champion"),
    "evidence add": ("version", f"{VERSION} metrics --data {{}}"),
    "declaration add": ("models", "risk data_owner sha256:0 ada@example.com"),
    "signing-key trust": ("signing-keys", "risk mine {file}"),
    "signing-key revoke": ("signing-keys", "risk key_1"),
    "version upload": ("version", f"{VERSION} {{file}}"),
    "version remove-file": ("version", f"{VERSION} model.joblib"),
    "version finalise": ("version", VERSION),
    "version discard": ("model", VERSION),
    "version tag": ("version", f"{VERSION} team=risk"),
    "version card": ("version", f"{VERSION} {{file}}"),
    "build start": ("build", VERSION),
    "build cancel": ("build", "bld_1"),
    "environment create": ("environment", "risk/edge"),
    "environment edit": ("environment", "risk/edge --position 3"),
    "secret set": ("secrets", "risk/edge/db --file {file}"),
    "secret rotate": ("secrets", "sec_1 --file {file}"),
    "secret revoke": ("secrets", "sec_1"),
    "policy draft": ("policies", "risk/edge {file}"),
    "policy withdraw": ("policies", "risk/edge 3"),
    "freeze set": ("policies", "risk/edge --reason x"),
    "freeze lift": ("policies", "risk/edge frz_1"),
    "release request": ("release", f"{VERSION} --environment edge"),
    "release comment": ("release", "rel_1 x"),
    "release ask": ("release", "rel_1 Rita --review-days 2"),
    "release unask": ("release", "rel_1 text"),
    "inbox": ("inbox", ""),
    "away set": ("absence", "Rita --until 2099-01-02"),
    "away clear": ("absence", ""),
    "notices choose": ("notifications", "review daily"),
    "notices watch": ("notifications", "risk"),
    "notices unwatch": ("notifications", "rel_1"),
    "release withdraw": ("release", "rel_1"),
    "release start": ("rollout", "rel_1"),
    "rollout pause": ("rollout", "rol_1 --reason x"),
    "rollout resume": ("rollout", "rol_1 --reason x"),
    "rollout skip": ("rollout", "rol_1 --reason x"),
    "rollout promote": ("rollout", "rol_1 --reason x"),
    "rollout confirm": ("rollout", "rol_1 --digest x --reason x"),
    "rollout decline": ("rollout", "rol_1 --digest x --reason x"),
    "rollout withdraw": ("rollout", "rol_1 --digest x"),
    "rollout retry": ("rollout", "rol_1 --reason x"),
    "rollout abort": ("rollout", "rol_1 --reason x"),
    "endpoint create": ("endpoint", "risk/edge churn --target local"),
    "endpoint rollback": ("rollout", "end_1 --reason x"),
    "endpoint scale": ("endpoint", "end_1 2"),
    "endpoint stop": ("endpoint", "end_1"),
    "endpoint start": ("endpoint", "end_1"),
    "endpoint restart": ("endpoint", "end_1"),
    "endpoint delete": ("endpoints", "end_1"),
    "endpoint key new": ("endpoint", "end_1 shop"),
    "endpoint key revoke": ("endpoint", "end_1 key_1"),
    "target create": ("target", "local"),
    "target edit": ("target", "local --capacity-mb 7"),
    "target allow": ("target", "local risk"),
    "target disallow": ("target", "local text/text"),
    "target join-token": ("target", "local"),
    "outcome report": ("endpoint", "end_1 00000000-0000-0000-0000-000000000001 chargeback"),
    "prediction erase": ("endpoint-predictions", "end_1 --unit u1"),
    "drill run": ("endpoint", "end_1"),
    "drill schedule": ("endpoint", "end_1 --every-days 7"),
    "drill unschedule": ("endpoint", "end_1"),
    "recall create": ("recall", "bento sha256:0 --reason x"),
    "alert ack": ("alerts", "alt_1"),
    "alert resolve": ("alerts", "alt_1"),
    "thread open": ("thread", "rel_1 x"),
    "thread show": ("thread", "thr_1"),
    "thread reply": ("thread", "thr_1 x"),
    "thread edit": ("thread", "thr_1 tcm_1 x"),
    "thread delete": ("thread", "thr_1 tcm_1"),
    "thread delete-file": ("thread", "thr_1 tcm_1 tcf_1"),
    "thread resolve": ("thread", "thr_1"),
    "thread reopen": ("thread", "thr_1"),
    "objective set": ("endpoint", "end_1 --availability 0.9"),
    "objective remove": ("endpoint", "end_1"),
    "audit witness add": ("witnesses", "attic attic --kind file"),
    "audit witness remove": ("witnesses", "wit_1"),
    "audit witnessed add": ("witnesses", "name+id+base64"),
    "audit witnessed remove": ("witnesses", "wlg_1"),
    "audit retention set": ("retention", "365"),
    "audit hold place": ("retention", "case-1 everything"),
    "audit hold lift": ("retention", "hld_1"),
    "stream add": ("stream", "siem https://siem.example/in"),
    "stream pause": ("stream", "stm_1"),
    "stream resume": ("stream", "stm_1"),
    "stream rewind": ("stream", "stm_1 7"),
    "stream test": ("stream", "stm_1 --timeout 0"),
    "stream remove": ("streams", "stm_1"),
    "webhook add": ("webhook", "hook https://hooks.example/in --group releases"),
    "webhook edit": ("webhook", "whk_1 --all"),
    "webhook enable": ("webhook", "whk_1 --seen x"),
    "webhook disable": ("webhook", "whk_1"),
    "webhook rotate": ("webhook", "whk_1"),
    "webhook redeliver": ("webhook", "whk_1 whd_1"),
    "webhook test": ("webhook", "whk_1 --timeout 0"),
    "webhook remove": ("webhooks", "whk_1"),
}
# What changes something, and has no page where one would go on
NO_PAGE = {
    "login": "it says who has logged in",
    "logout": "the browser has a session of its own",
    "token revoke": "a token may be a program's, which has no pages",
    "job cancel": "jobs have no page",
}
READS = """
whoami, away show,
search, export, project figures, project list, project show, project storage, token list,
token show, job list, job show, person list, person show, person position, person positions, team
list, team show, role list, role second-factor, role show, passkey list, passkey show,
service-account list, service-account show,
model list, model show, model compare, alias list, evidence list, evidence show, declaration list,
signing-key list, version list, version show, version files, version download, version missing,
version mlbom, build list, build show, build log, bento show, bento sbom, bento provenance, bento
model-signature, runtime show, environment list, environment show, environment plans, policy list,
policy show, policy try, policy dry-run, duty list, freeze list, release wait,
secret list, release list, release show, release comments, release decisions, release decision,
release permit, release vsa,
release bundle, release export-decision, rollout list, rollout show, rollout looks, rollout series,
rollout disagreements, rollout passing, endpoint list, endpoint show, endpoint revisions, endpoint
traffic, endpoint predict, endpoint key list,
thread list, thread download, notices show, notices watches,
deployment list, target list, target show, target uses, outcome list, prediction list,
prediction captures, prediction erasures, drill list, break-glass list, break-glass show, recall
preview, recall list, recall show, recall effects, recall receipts, recall report, recall ran,
alert list, alert show, objective show, audit events, audit save, audit show, audit proof, audit
verifier, audit checkpoint, audit export, audit verify, audit witness list, audit witness keys,
audit witnessed list, audit timestamp list, audit timestamp save, audit retention show, audit hold
list, audit archive list, audit archive save, stream list, stream show,
webhook list, webhook show, webhook deliveries, webhook delivery
"""
# What only whoever made it may do: the table's people did not
OF_ITS_MAKER = {
    "release withdraw": {"contributor"},
    "release ask": {"contributor"},
    "release unask": {"contributor"},
    "rollout retry": {"operator"},
    "thread edit": {"reviewer"},
    "thread delete": {"reviewer"},
    "thread delete-file": {"reviewer"},
}
REFUSED = {"401", "403", "404"}


def leaves(command: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """Yield every command by its words."""
    below = getattr(command, "commands", {})
    if not below:
        yield " ".join(names), command
    for name, one in below.items():
        yield from leaves(one, *names, name)


EVERY = dict(leaves(typer.main.get_command(app)))


def test_no_command_is_forgotten() -> None:
    named = [*PAGES, *NO_PAGE, *" ".join(READS.split()).split(", ")]
    assert sorted(named) == sorted(EVERY)
    assert {page for page, _ in PAGES.values()} == set(pages.PATHS)


class LastPages(Api):
    """Answers lists with their last page."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer without a page after this one."""
        response = super().__call__(request)
        if b'"next_cursor"' not in response.content:
            return response
        return httpx.Response(response.status_code, json=response.json() | {"next_cursor": None})


def registered(client: Client, project: str, name: str, *_: Any, **__: Any) -> Registered:
    """Register a version, of which other tests say how."""
    client.versions.create(project, name)
    version = client.versions.finalise(project, name, 3)
    return Registered(version, new=True, metrics={"auc": 0.9}, left_out=[], differing={})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    """What the command line talks to."""
    answers = LastPages()
    monkeypatch.setenv("PLACET_URL", "http://placet.example")
    monkeypatch.setenv("PLACET_TOKEN", "plc_x")

    def connect(url: str, token: str, **_: Any) -> Client:
        return Client(url, token, transport=httpx.MockTransport(answers))

    monkeypatch.setattr("placet_client.cli.command.Client", connect)
    monkeypatch.setattr("placet_client.cli.models.register", registered)
    return answers


def typed(command: str, tmp_path: Path) -> list[str]:
    """Return the words of a command, with files that there are."""
    file = tmp_path / "file"
    file.write_text("x")
    return [*command.split(), *shlex.split(PAGES[command][1].replace("{file}", str(file)))]


@pytest.mark.parametrize("command", PAGES)
def test_a_command_ends_with_the_address_of_its_page(
    command: str, api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = typed(command, tmp_path)
    main(words)
    said = capsys.readouterr()
    last = said.err.splitlines()[-1]
    assert last.startswith("→ http://placet.example/"), said
    found = resolve(last.removeprefix("→ http://placet.example").partition("?")[0])
    assert found.url_name == PAGES[command][0]
    assert "→" not in said.out
    if any("--output" in parameter.opts for parameter in EVERY[command].params):
        ended = main([*words, "-o", "json"])
        printed = capsys.readouterr().out
        assert json.loads(printed) if ended == 0 else (ended, printed) == (TIMED_OUT, "")


@pytest.mark.django_db
def test_the_page_opens_for_everybody_who_may_use_the_command(api: Api, tmp_path: Path) -> None:
    who = {(page, role) for c, (page, _) in PAGES.items() for role in users(c, api, tmp_path)}
    world = build()
    answers = {
        (page, role): world.clients[role].get(world.path(route_of(page))).status_code
        for page, role in sorted(who)
    }
    assert {pair: status for pair, status in answers.items() if status != 200} == {}


def users(command: str, api: Api, tmp_path: Path) -> set[str]:
    """Return the roles that may use a command."""
    api.asked.clear()
    main(typed(command, tmp_path))
    people = OF_ITS_MAKER.get(command) or allowed([op for op, _ in api.asked])
    assert people, command
    return people


def allowed(asked: list[Operation]) -> set[str]:
    """Return the roles that may do all that a command asks for."""
    table = {(row.method, row.route): row.expected for row in rows()}
    able = set(COLUMNS) - {"stranger"}  # who asks for things of another project
    for op in asked:
        answers = dict(zip(COLUMNS, table[op.method, op.route], strict=True))
        able -= {role for role, answer in answers.items() if answer in REFUSED}
    return able


def route_of(page: str) -> str:
    """Return a page's route as the table of permissions writes it."""
    [(text, _)] = get_resolver().reverse_dict.getlist(page)[0][0]
    return "/" + re.sub(r"%\((\w+)\)s", r"{\1}", text)
