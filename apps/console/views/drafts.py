"""A version made in the browser: its draft is filled in part by part, finalised and built."""

import hashlib
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html

from apps.builds.actions import request_build
from apps.console.queries import models as queries
from apps.console.queries.draft.forms import CardForm, MetricsForm, OriginForm, RuntimeForm
from apps.console.queries.draft.page import draft_page
from apps.console.queries.draft.rows import TypedForm
from apps.console.queries.draft.signature import SignatureForm
from apps.console.queries.draft.stored import refuse_changed, stored_of
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.discarded import leads_on
from apps.console.views.fields import read_whole, whole
from apps.registry.actions import (
    add_evidence,
    cancel_upload,
    copy_facts,
    create_version,
    discard_draft,
    edit_draft,
    finalise,
    receive_chunk,
    remove_file,
    set_card,
    start_upload,
)
from apps.registry.errors import AlreadyFinalised
from apps.registry.models import ArtifactFile, ModelVersion, VersionState
from apps.registry.queries import upload_for
from placet.kernel.actor import Actor
from placet.kernel.problems import InvalidInput, NotFound, Problem

FORMS: dict[str, Any] = {
    "runtime": RuntimeForm,
    "signature": SignatureForm,
    "origin": OriginForm,
    "metrics": MetricsForm,
    "card": CardForm,
}


@action
def new_version(request: PageRequest, project: str, name: str) -> HttpResponse:
    """Create the next version of a model as a draft, and go on there."""
    model = queries.model_of(project, name, request.actor)
    version = create_version(model, actor=request.actor)
    return redirect("version-draft", project, name, version.number)


@page
@leads_on()
def draft(request: PageRequest, project: str, name: str, draft_number: int) -> HttpResponse:
    """Show what a draft has, what it lacks, and where to give it."""
    row = queries.version_of(project, name, draft_number, request.actor)
    if row.state != VersionState.DRAFT:
        return redirect("version", project, name, draft_number)
    return show_draft(request, row)


def show_draft(
    request: PageRequest, row: ModelVersion, sent: TypedForm | None = None, fault: str = ""
) -> HttpResponse:
    """Show a draft; with ``sent`` the form as it was sent, with ``fault`` why it is no version."""
    saved = "" if sent else request.GET.get("saved", "")
    page_object = draft_page(row, request.actor, saved=saved, sent=sent)
    return show(request, "draft", page=page_object, version=row, here=page_object.url, fault=fault)


@action
@leads_on()
def save(
    request: PageRequest, project: str, name: str, draft_number: int, part: str
) -> HttpResponse:
    """Save one part of a draft; a refusal, or a button for rows, shows it again as it was sent."""
    row = queries.version_of(project, name, draft_number, request.actor)
    form = sent_form(request, row, part)
    if form.rearrange(request.POST):
        return show_draft(request, row, form)
    try:
        save_part(row, part, form, request.actor)
    except Problem as problem:
        form.place(problem.errors, fault_of(problem))
        return show_draft(request, row, form)
    draft_of = redirect("version-draft", project, name, draft_number)
    return redirect(f"{draft_of.url}?saved={part}#{part}")


def sent_form(request: PageRequest, row: ModelVersion, part: str) -> TypedForm:
    """Return the form of a part as it was sent."""
    if part not in FORMS:
        raise NotFound
    form: TypedForm = FORMS[part].read(request.POST, row)
    form.seen = request.POST.get("seen", "")
    return form


def save_part(row: ModelVersion, part: str, form: Any, actor: Actor) -> None:
    """Save a part of a draft, as long as it is what its form was filled in with."""
    if part == "metrics":
        save_metrics(row, form, actor)
        return
    told = {"card": form.text()} if part == "card" else form.fields()
    refuse_changed(form, stored_of(part, row), told)
    change: Callable[..., ModelVersion] = set_card if part == "card" else edit_draft
    change(row, actor=actor, if_generation=row.generation, **told)


def save_metrics(row: ModelVersion, form: MetricsForm, actor: Actor) -> None:
    """Report metrics, unless just these were reported last."""
    data, stored = form.data(), queries.newest_metrics([row]).get(row.pk)
    if data != stored:
        refuse_changed(form, stored or {}, data)
        add_evidence(row, kind="metrics", data=data, actor=actor)


@action
@leads_on()
def add_files(request: PageRequest, project: str, name: str, draft_number: int) -> HttpResponse:
    """Take the files of a plain form; each that is refused is named."""
    row = queries.version_of(project, name, draft_number, request.actor)
    files = request.FILES.getlist("files")
    if not files:
        raise InvalidInput("Choose at least one file")
    for file in files:
        try:
            add_file(row, file, request.actor)
        except Problem as problem:
            said = fault_of(problem)  # raised again where it is not about the file
            messages.error(request, format_html("{}: {}", file.name, said))
    return back(request)


def add_file(row: ModelVersion, file: "UploadedFile[bytes]", actor: Actor) -> None:
    """Make one file of a form a file of the draft."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = file.size or 0
    upload = start_upload(row, path=file.name or "", size=size, sha256=digest, actor=actor)
    if not isinstance(upload, ArtifactFile):
        file.seek(upload.received)
        receive_chunk(upload, offset=upload.received, stream=file, actor=actor)


@action
@leads_on()
def take_out(request: PageRequest, project: str, name: str, draft_number: int) -> HttpResponse:
    """Take a file out of a draft."""
    row = queries.version_of(project, name, draft_number, request.actor)
    path, seen = request.POST.get("path", ""), request.POST.get("sha256")
    remove_file(row, path=path, if_sha256=seen, actor=request.actor)
    return back(request)


@action
def cancel(request: PageRequest, upload: str) -> HttpResponse:
    """Give up a file that is on its way."""
    cancel_upload(upload_for(upload, request.actor), actor=request.actor)
    return back(request)


@action
@leads_on()
def copy(request: PageRequest, project: str, name: str, draft_number: int) -> HttpResponse:
    """Take packages, signature and card over from another version of the model."""
    row = queries.version_of(project, name, draft_number, request.actor)
    number = read_whole(request.POST.get("from", ""))
    if number is None:
        raise NotFound
    source = queries.version_of(project, name, number, request.actor)
    copy_facts(row, source=source, actor=request.actor)
    return back(request)


@action
@leads_on()
def discard(request: PageRequest, project: str, name: str, draft_number: int) -> HttpResponse:
    """Remove a draft for good; sent again, it says that it is gone."""
    row = queries.version_of(project, name, draft_number, request.actor)
    generation, beside = whole(request, "generation"), request.POST.get("beside")
    discard_draft(row, actor=request.actor, if_generation=generation, if_beside=beside)
    messages.success(request, f"Discarded the draft {row}.")
    return redirect("model", project, name)


@action
@leads_on()
def finish(request: PageRequest, project: str, name: str, draft_number: int) -> HttpResponse:
    """Freeze a draft and have it built; a second click leads to the same build."""
    row = queries.version_of(project, name, draft_number, request.actor)
    try:
        finalise(row, actor=request.actor)
    except AlreadyFinalised:
        if (build := row.builds.order_by("-created_at").first()) is not None:
            return redirect("build", build.pk)
    except Problem as problem:
        return show_draft(request, row, fault=fault_of(problem))
    return redirect("build", request_build(row, actor=request.actor).pk)
