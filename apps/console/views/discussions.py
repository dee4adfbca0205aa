"""Discussions: the threads about a thing, one thread, and what people do there."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.console.queries.discussed import discussion_url
from apps.console.queries.discussions import (
    DiscussionPage,
    ThreadPage,
    Typed,
    discussion_page,
    refused_edit,
    thread_page,
)
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.discussions import actions
from apps.discussions.actions import Said
from apps.discussions.contents import SentFile
from apps.discussions.queries import get_comment, get_file, get_subject, get_thread
from placet.kernel.problems import Problem


@page
def discussion(request: PageRequest, kind: str, subject: str) -> HttpResponse:
    """List the threads about a thing; a release has them among its own pages."""
    if kind == "release":
        get_subject(kind, subject, request.actor)
        return redirect(discussion_url(kind, subject))
    return _discussed(request, kind, subject)


@page
def release_discussion(request: PageRequest, release_id: str) -> HttpResponse:
    """List the threads about a release."""
    return _discussed(request, "release", release_id)


def _discussed(request: PageRequest, kind: str, subject: str) -> HttpResponse:
    typed = Typed(anchor=request.GET.get("anchor", "")[:120])
    asked = request.GET.get("page", "")
    return _list(request, discussion_page(kind, subject, request.actor, asked=asked, typed=typed))


def _list(request: PageRequest, found: DiscussionPage) -> HttpResponse:
    return show(
        request,
        "discussion",
        frame=found.subject.project,
        page=found,
        release=found.thing.release,
        tabs=found.thing.tabs,
    )


@action
def open_one(request: PageRequest, kind: str, subject: str) -> HttpResponse:
    """Open a thread; what is refused is shown again as it was typed."""
    typed = _typed(request)
    about = get_subject(kind, subject, request.actor)
    said: dict[str, Any] = {"text": typed.text, "anchor": typed.anchor, "once": typed.once}
    said["files"] = _files(request)
    try:
        return _told(request, actions.open_thread(about, **said, actor=request.actor))
    except Problem as problem:
        refused = Typed(typed.text, typed.anchor, fault_of(problem), typed.once)
        return _list(request, discussion_page(kind, subject, request.actor, typed=refused))


def _typed(request: PageRequest) -> Typed:
    sent = request.POST
    return Typed(sent.get("text", ""), sent.get("anchor", ""), once=sent.get("once", ""))


def _files(request: PageRequest) -> list[SentFile]:
    return [SentFile(one.name or "", one.read()) for one in request.FILES.getlist("files")]


def _told(request: PageRequest, said: Said) -> HttpResponse:
    """Go to what was said, and say whom it does not mention."""
    for each in said.unmentioned:
        messages.warning(request, each.sentence)
    return redirect(f"{reverse('thread', args=[said.comment.thread_id])}#{said.comment.pk}")


@page
def thread(request: PageRequest, thread_id: str) -> HttpResponse:
    """Show one thread."""
    asked = request.GET.get("page", "")
    return _thread(request, thread_page(thread_id, request.actor, asked=asked))


def _thread(request: PageRequest, found: ThreadPage) -> HttpResponse:
    return show(
        request,
        "thread",
        frame=found.thread.project,
        page=found,
        thread=found.thread,
        release=found.thing.release,
        tabs=found.thing.tabs,
    )


@action
def answer(request: PageRequest, thread_id: str) -> HttpResponse:
    """Reply; what is refused is shown again as it was typed."""
    typed, row = _typed(request), get_thread(thread_id, request.actor)
    sent: dict[str, Any] = {"text": typed.text, "once": typed.once, "files": _files(request)}
    try:
        said = actions.reply(row, **sent, actor=request.actor)
        actions.mark_seen(row, last=request.POST.get("last", ""), actor=request.actor)
        return _told(request, said)
    except Problem as problem:
        refused = Typed(typed.text, fault=fault_of(problem), once=typed.once)
        return _thread(request, thread_page(thread_id, request.actor, typed=refused))


@action
def settle(request: PageRequest, thread_id: str) -> HttpResponse:
    """Resolve a thread."""
    actions.resolve_thread(get_thread(thread_id, request.actor), actor=request.actor)
    return back(request)


@action
def take_up(request: PageRequest, thread_id: str) -> HttpResponse:
    """Reopen a thread."""
    actions.reopen_thread(get_thread(thread_id, request.actor), actor=request.actor)
    return back(request)


@action
def seen(request: PageRequest, thread_id: str) -> HttpResponse:
    """Have the reader's mentions up to the last comment that a page showed wait no more; the page
    that was opened asks for it."""
    row, last = get_thread(thread_id, request.actor), request.GET.get("last", "")
    actions.mark_seen(row, last=last, actor=request.actor)
    return HttpResponse() if request.headers.get("HX-Request") else back(request)


@action
def change(request: PageRequest, thread_id: str, comment_id: str) -> HttpResponse:
    """Put another text in place of one's own, which the form showed; what is refused is shown again
    as it was typed."""
    row, text = get_comment(thread_id, comment_id, request.actor), request.POST.get("text", "")
    row.text_sealed = request.POST.get("was", "")
    try:
        return _told(request, actions.edit_comment(row, text=text, actor=request.actor))
    except Problem as problem:
        refused = Typed(text, fault=fault_of(problem))
        return _thread(request, refused_edit(thread_id, comment_id, request.actor, refused))


@action
def remove(request: PageRequest, thread_id: str, comment_id: str) -> HttpResponse:
    """Delete one's own text."""
    actions.delete_comment(get_comment(thread_id, comment_id, request.actor), actor=request.actor)
    return back(request)


@action
def remove_file(
    request: PageRequest, thread_id: str, comment_id: str, file_id: str
) -> HttpResponse:
    """Delete a file of one's own comment."""
    file = get_file(thread_id, comment_id, file_id, request.actor)
    actions.delete_file(file, actor=request.actor)
    return back(request)
