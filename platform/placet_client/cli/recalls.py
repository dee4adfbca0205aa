"""recall."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from placet_client.cli.command import (
    EndpointArgument,
    LimitOption,
    ListedProject,
    ListedProjectOption,
    OutputOption,
    connected,
    go_on,
    listed_project,
)
from placet_client.cli.serving import id_of
from placet_client.output import Form, counted, print_json, show_list, show_one, tell
from placet_client.records import RecallDetail, RecallPreview, Record

recall = typer.Typer(
    help="Recalls of what must not run: a version, a Bento, a wheel, a dataset, a key, a passkey, "
    "a person's decisions. Another person withdraws one on its page in the browser",
    no_args_is_help=True,
)
STATES = {"standing": "recalled", "lifted": "withdrawn"}  # of a recall, as its page has them
COLUMNS = ["id", "kind", "what", "state", "releases", "confirmed", "open", "created_at"]
COLUMNS += ["recalled_by"]
BRIEF = ["id", "kind", "what", "reason", "state", "releases", "ran", "confirmed", "open"]
EFFECTS = [
    "state",
    "outcome",
    "environment",
    "endpoint_name",
    "release_number",
    "target",
    "confirmed_at",
]
FORESEEN = [
    "outcome",
    "project",
    "environment",
    "endpoint_name",
    "release_number",
    "release_state",
    "target",
]


class RecallKind(StrEnum):
    """What can be recalled."""

    VERSION = "version"
    BENTO = "bento"
    DATASET = "dataset"
    WHEEL = "wheel"
    KEY = "key"
    PASSKEY = "passkey"
    PERSON = "person"


WhatArgument = Annotated[
    str,
    typer.Argument(help="an id (version, key, passkey, person), a digest, or PROJECT/MODEL:NUMBER"),
]
ProjectOption = Annotated[
    str, typer.Option("--project", help="for a dataset; a version or a Bento has its own")
]
ReasonOption = Annotated[str, typer.Option(help="reason, shown on the recall")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(recall, name="recall")


@recall.command("preview")
def recall_preview(
    kind: RecallKind,
    what: WhatArgument,
    project: ProjectOption = "",
    output: OutputOption = Form.TABLE,
) -> None:
    """Show what a recall would affect; nothing is written."""
    with connected() as client:
        preview = client.recalls.preview(kind.value, what, project=project)
    if output is Form.JSON:
        print_json(preview.raw)
        return
    rows = [_in_words(one, output) for one in preview.releases]
    show_list(rows, FORESEEN, output)
    over = sum(one.action is None for one in preview.releases)
    ended = f"; {counted(over, 'release')} had ended before" if over else ""
    affected = counted(len(rows) - over, "release")
    along = sum(one.aborted_rollout is not None for one in preview.releases)
    others = "another release" if along == 1 else "other releases"
    aborts = f" It aborts {counted(along, 'rollout')} of {others}." if along else ""
    builds = counted(len(preview.bentos), "Bento")
    tell(f"A recall affects {builds} and {affected}{ended}.{aborts}")
    _tell_voided("voids", preview)


def _tell_voided(verb: str, told_of: RecallPreview | RecallDetail) -> None:
    """Say of which releases that wait, or did, a recall takes something back."""
    releases = told_of.voided
    for gone, of in (
        ("what was decided on", [one for one in releases if one.decision]),
        ("the emergency release of", [one for one in releases if one.emergency_release]),
    ):
        told = (f"release {one.release_number} of {one.project} to {one.environment}" for one in of)
        if of:
            tell(f"It {verb} {gone} {', '.join(told)}.")
    if told_of.voided_is_cut:
        tell(f"It {verb} more than that, of releases which are not listed here.")


@recall.command("create")
def recall_create(
    kind: RecallKind,
    what: WhatArgument,
    reason: ReasonOption,
    project: ProjectOption = "",
    output: OutputOption = Form.TABLE,
) -> None:
    """Recall it now: releases of it end, and endpoints fall back or stop."""
    with connected() as client:
        made = client.recalls.create(kind.value, what, reason=reason, project=project)
        show_one(_in_words(made, output), output, BRIEF)
        go_on(client, "recall", made.id)


@recall.command("list")
def recall_list(
    within: ListedProject = "",
    project: ListedProjectOption = "",
    kind: Annotated[RecallKind | None, typer.Option(help="only of this kind")] = None,
    state: Annotated[str, typer.Option(help="recalled or withdrawn")] = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List recalls, newest first."""
    project = listed_project(within, project)
    with connected() as client:
        asked = {word: name for name, word in STATES.items()}.get(state, state)
        recalls = client.recalls.list(project=project, kind=kind or "", state=asked, limit=limit)
        show_list((_in_words(one, output) for one in recalls), COLUMNS, output)


@recall.command("show")
def recall_show(recall_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show a recall and how far it is."""
    with connected() as client:
        found = client.recalls.get(recall_id)
    show_one(_in_words(found, output), output)
    if output is Form.TABLE:
        _tell_voided("voided", found)


@recall.command("effects")
def recall_effects(
    recall_id: str, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List what a recall did to each release, and whether its node has confirmed it."""
    with connected() as client:
        effects = client.recalls.effects(recall_id, limit=limit)
        told = (_in_words(one, output) for one in effects)
        show_list(told, EFFECTS, output, none="It reached no release.")
        if output is Form.TABLE:
            _tell_voided("voided", client.recalls.get(recall_id))


def _in_words(item: Record, form: Form) -> Mapping[str, Any]:
    """Return a recall, or what it did or would do, with the words that its page has; as JSON it
    stays as it is."""
    body = dict(item.raw)
    if form is Form.JSON:
        return body
    if "state" in body:
        body["state"] = STATES.get(body["state"], body["state"])
    for name in ("voided", "voided_is_cut"):  # are told in a sentence
        body.pop(name, None)
    for name in ("recalled_by", "lifted_by"):
        if told := body.pop(f"{name}_name", None):
            body[name] = told
    if "stands" in body:
        body["release_state"] = body.pop("stands")
    if body.get("kind") == "version" and body.get("what_name"):
        body["what"] = body.pop("what_name")  # as commands take it too
    elif body.get("what_name"):
        body["what"] = f"{body['what_name']} ({body['what']})"
    if body.get("outcome", "").lower() == "already revoked":
        body["outcome"] += f" by {body['revoked_by'] or 'a recall that is not visible to you'}"
    return body


@recall.command("receipts")
def recall_receipts(
    recall_id: str, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List the receipts by which nodes confirmed a recall; -o json has the signed envelopes."""
    with connected() as client:
        columns = ["at", "node", "target", "digest"]
        show_list(client.recalls.receipts(recall_id, limit=limit), columns, output)


@recall.command("report")
def recall_report(recall_id: str, to: Path) -> None:
    """Write all that an outsider needs to a zip, for `python -m placet_verify recall`."""
    with connected() as client:
        tell(f"{to}: {counted(client.recalls.report(recall_id, to), 'byte')}")


@recall.command("ran")
def recall_ran(
    reference: EndpointArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List what nodes signed to have run behind an endpoint, from when to when."""
    with connected() as client:
        columns = ["started_at", "at", "release", "bento_digest", "node"]
        show_list(client.recalls.ran(id_of(client, reference), limit=limit), columns, output)
