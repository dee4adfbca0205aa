"""The parts that every page is made of: each is one tag with one template in ``components/``.

Those that hold content are Django's own block tags. A form made here carries its token and the
page to come back to, so that none is forgotten.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.assurance.models import OF_DECISIONS, RecallKind
from apps.console.addresses import page_above
from apps.console.glossary import TERMS
from apps.console.queries.actor_names import attributed
from apps.console.queries.links import environment_url, person_url, project_url, recall_url
from apps.console.queries.page_parts import Button
from apps.console.queries.page_parts import without_role as lacks_role
from apps.console.queries.release_words import gate_sign, listed_state
from apps.console.templatetags.placet import ago, state
from apps.governance.models import Release
from apps.governance.rules import ReleaseState
from apps.identity.queries import scope_of
from apps.identity.refusals import named_holders, whom_to_ask
from apps.identity.rules.permissions import roles_with

register = template.Library()
RENEWS = mark_safe(
    'hx-select="#main" hx-target="#main" hx-swap="outerHTML show:none" hx-push-url="true"'
)


def part(name: str, /, **context: Any) -> SafeString:
    """Return the component ``name`` with its context."""
    return mark_safe(render_to_string(f"components/{name}.html", context))  # noqa: S308


def form(context: Context) -> dict[str, Any]:
    """Return what each form carries: its token, and the page it stands on."""
    here = context.get("here") or page_above(context["request"].path)
    return {"csrf_token": context["csrf_token"], "here": here}


@register.simple_tag(takes_context=True)
def narrows(context: Context) -> SafeString:
    """Have a form of filters renew the page's content as soon as one is chosen. Its button stays
    where there is no JavaScript."""
    return format_html(
        'hx-get="{}" hx-trigger="submit, change" {} hx-sync="this:replace"',
        context["request"].path,
        RENEWS,
    )


@register.simple_tag(takes_context=True)
def column(context: Context, name: str, label: str, css: str = "") -> SafeString:
    """Show the heading of a column that the list can be sorted by: a link that renews the page's
    content, sorted so and from the first page on, with the filters as they are."""
    request, sorting = context["request"], context["sorting"]
    asked = request.GET.copy()
    asked.pop("after", None)
    asked.pop("sort", None)
    if word := sorting.next(name):
        asked["sort"] = word
    url = f"{page_above(request.path)}?{asked.urlencode()}"
    shown = {"name": name, "label": label, "css": css, "direction": sorting.direction(name)}
    return part("column", **shown, url=url, renews=RENEWS)


@register.simple_tag(takes_context=True)
def kept_sort(context: Context) -> SafeString:
    """Have a form of filters keep what the list is sorted by."""
    sorting = context.get("sorting")  # none where a list has one order alone
    asked = sorting.asked if sorting else ""
    return (
        format_html('<input type="hidden" name="sort" value="{}">', asked)
        if asked
        else SafeString()
    )


@register.simple_tag
def pick(form: str, value: str, name: str) -> SafeString:
    """Show the box that chooses the row called ``name`` for the form with the id ``form``."""
    return part("pick", form=form, value=value, name=name)


@register.simple_block_tag
def picked(content: str, form: str) -> SafeString:
    """Show above a list how many of its rows are chosen for ``form``, and what acts on them."""
    return part("picked", content=content, form=form)


@register.simple_tag
def help(term: str) -> SafeString:
    """Show a link to what the glossary says of ``term``, one of its headings as an anchor."""
    return part("help", term=term, question=TERMS[term])


@register.simple_block_tag
def card(content: str, title: str = "", **options: Any) -> SafeString:
    """Show a card, with ``aside`` at the right of its title; ``id`` and ``css`` are its own.

    ``term`` is the word of its title that the glossary explains; so it is of a cardhead and a fact.
    """
    return part("card", content=content, title=title, **options)


@register.simple_block_tag
def cardhead(content: str, title: str, **options: Any) -> SafeString:
    """Show the head of a card whose right side is markup: buttons, links, a state."""
    return part("cardhead", content=content, title=title, **options)


@register.simple_block_tag(takes_context=True)
def heading(context: Context, content: str, buttons: Iterable[Button], size: str) -> SafeString:
    """Show what stands above a page, with its ``buttons`` at the right; below them where the screen
    is no ``size``: ``md``, ``lg``."""
    return part("heading", content=content, buttons=buttons, size=size, **form(context))


@register.simple_block_tag
def tone(content: str, tone: str, icon: str, wrap: bool = False) -> SafeString:
    """Show a state in words of its own: an icon and a text, never a colour alone."""
    return part("tone", content=content, tone=tone, icon=icon, wrap=wrap)


@register.simple_tag
def state_of(release: Release) -> SafeString:
    """Show the state of a release, but of one whose gate has failed not that it waits: nobody opens
    that gate, and ``gates_of`` says which it is."""
    word = listed_state(release)
    is_told = release.state == ReleaseState.REQUESTED and word != release.state
    return linked("") if is_told else state(word)


@register.simple_tag
def gates_of(release: Release) -> SafeString:
    """Show what a release that has not started waits for, or that its gates pass."""
    sign = gate_sign(release)
    if sign is None:
        return linked("")
    said = format_html("{} {}", sign.text, ago(sign.at)) if sign.at else sign.text
    return part("tone", **asdict(sign), content=said)


@register.simple_tag
def standing_of(release: Release) -> SafeString:
    """Show in one sign how a release stands: what it waits for while it is requested, or its
    state."""
    return (gates_of if release.state == ReleaseState.REQUESTED else state_of)(release)


@register.simple_block_tag
def fact(content: str, label: str, css: str = "", term: str = "") -> SafeString:
    """Show one line of a list of facts (``<dl class="facts">``)."""
    return part("fact", content=content, label=label, css=css, term=term)


@register.simple_block_tag(takes_context=True)
def empty(context: Context, content: str, title: str, action: Any = None) -> SafeString:
    """Say that a list is empty, and below it what to do first; ``action`` is a button for it."""
    return part("empty", content=content, title=title, action=action, **form(context))


@register.simple_block_tag(takes_context=True)
def dialog(context: Context, content: str, id: str, title: str, **options: Any) -> SafeString:
    """Show a dialog with a form to ``action``, which the button ``submit`` sends, or those within.

    ``tone`` is the button's, ``form`` the form's id; ``signing`` says which passkey signs it, and
    keeps the button from being pressed where the reader has none. With ``fault`` it is open and
    says what was refused.
    """
    return part("dialog", content=content, id=id, title=title, **form(context), **options)


@register.simple_tag(takes_context=True)
def post(context: Context, action: str, label: str, **options: Any) -> SafeString:
    """Show a button that sends a form of its own; ``tone``, ``css`` and, for who does not see
    where it stands, ``says`` are the button's; ``form`` is the form's id, and
    ``generation`` the state that its reader saw."""
    return part("post", action=action, label=label, **form(context), **options)


@register.simple_block_tag(takes_context=True)
def field(context: Context, content: str, name: str, label: str, css: str = "") -> SafeString:
    """Show one input of a form under its label, and below it what is wrong with what was typed.

    ``faults`` of the context holds that, by the name of the input.
    """
    texts = (context.get("faults") or {}).get(name, ())
    return part("field", content=content, name=name, label=label, css=css, texts=texts)


@register.simple_block_tag(takes_context=True)
def formcard(context: Context, content: str, title: str, **options: Any) -> SafeString:
    """Show a card that is a form to ``action``, sent by the button ``submit``; ``fault`` says why
    it was refused."""
    return part("formcard", content=content, title=title, **form(context), **options)


@register.simple_tag
def choice(
    label: str, name: str, options: Iterable[tuple[Any, str]], chosen: Any, **more: Any
) -> SafeString:
    """Show a field in which one of ``options`` is chosen, a value and its words each; with
    ``blank``, which is what nothing is called, none need be. Its label is seen where it has an
    ``id`` and is not ``aloud`` alone. With a ``fault``, which stands beside it, it has the focus.
    """
    return choice_by_group(label, name, [("", options)], chosen, **more)


@register.simple_tag
def choice_by_group(
    label: str,
    name: str,
    groups: Iterable[tuple[str, Iterable[tuple[Any, str]]]],
    chosen: Any,
    **more: Any,
) -> SafeString:
    """Show the same where there are too many to read through: under a title for each group. What
    is chosen and at ``fault`` is offered too, so that the field is as it was sent."""
    if more.get("fault"):
        more["css"] = f"{more.get('css', '')} is-invalid"
        groups = [(title, list(options)) for title, options in groups]
        if chosen and not any(chosen in dict(options) for _, options in groups):
            groups.append(("", [(chosen, chosen)]))
    return part("choice", label=label, name=name, groups=groups, chosen=chosen, **more)


@register.simple_tag(takes_context=True)
def project_link(context: Context, project: Any) -> SafeString:
    """Show a project's name, a link for who may open its page; nothing for none."""
    return linked(project.name, project_url(project, context["actor"])) if project else linked("")


@register.simple_tag(takes_context=True)
def environment_link(context: Context, project: Any, name: str) -> SafeString:
    """Show the name of a project's environment, a link for who may open its page."""
    return linked(name, environment_url(project, name, context["actor"]))


@register.simple_tag(takes_context=True)
def person_link(context: Context, actor_id: str, name: str) -> SafeString:
    """Show the ``name`` of who did something, a link where it is a person whose page the reader
    may open."""
    return linked(name, person_url(actor_id or "", context["actor"]))


@register.simple_tag(takes_context=True)
def done_by(context: Context, kind: str, name: str, actor_id: str) -> SafeString:
    """Continue the sentence of an event of a ``kind`` with who did it, or what had Placet do it."""
    who = person_link(context, actor_id, name)
    words = attributed(kind, actor_id or "")
    return format_html('<span class="text-secondary">{} {}</span>', words, who)


@register.simple_tag(takes_context=True)
def gives_roles(context: Context, project: Any) -> str:
    """Say as a sentence whom the reader asks for a role in a ``project``."""
    return whom_to_ask(context["actor"], scope_of(project))


@register.simple_tag(takes_context=True)
def lacking(context: Context, permission: str, row: Any) -> str:
    """Continue ``to start it needs``: the role that gives ``permission`` at ``row``, which the
    reader lacks, and who holds it, as far as they may know them."""
    told = named_holders(context["actor"], [permission], scope_of(row), without=())
    role = f"the role {' or '.join(roles_with(permission))}, which you lack here"
    return f"{role}; {told}" if told else role


@register.simple_tag(takes_context=True)
def without_role(context: Context) -> str:
    """Say that the reader has no role that counts, and what helps; '' for who has one."""
    return lacks_role(context["actor"])


@register.simple_tag(takes_context=True)
def requested_by(context: Context, release: Any, verb: str = "") -> SafeString:
    """Say who requested a ``release`` that was read with its requester; of one that opened by
    itself for whom, and who had set that. ``verb`` stands for the first word of the former."""
    if not release.opened:
        who = person_link(context, release.requested_by, release.requester_name)
        return format_html("{} by {}", verb or "requested", who)
    owner: SafeString | str = person_link(context, release.requester, release.opened["owner"])
    if release.requester == context["actor"].accountable:
        owner = "you"
    setter = person_link(context, release.opened["by"], release.opened["setter"])
    opened = "Opened" if verb[:1].isupper() else "opened"
    return format_html("{} by itself for {} ({} set that)", opened, owner, setter)


@register.simple_tag(takes_context=True)
def recall_link(context: Context, told: Mapping[str, Any]) -> SafeString:
    """Show a recall as ``told_of_recall`` has it: to who may see it of what and by whom it was, and
    when it was withdrawn; then also by whom the same was recalled again."""
    url = recall_url(told["id"], told["project"], context["actor"])
    if not url:
        return linked("a recall")
    version, kind = f"{told['model']}:{told['number']}", RecallKind(told["kind"])
    said = f"recall of {version}"
    if kind in OF_DECISIONS:
        said = f"recall of decisions on the release of {version}"
    elif kind not in (RecallKind.VERSION, RecallKind.BENTO):
        said = f"recall ({kind.label.lower()}) that reached {version}"
    who = person_link(context, told["by"], told["name"])
    lifted = told["lifted_at"] and datetime.fromisoformat(told["lifted_at"])
    since = format_html(", withdrawn {}", ago(lifted)) if lifted else ""
    anew = _recalled_again(context, told["again"]) if lifted and told["again"] else ""
    return format_html("the {} (by {}{}{})", linked(said, url), who, since, anew)


def _recalled_again(context: Context, again: Mapping[str, Any]) -> SafeString:
    url = recall_url(again["id"], again["project"], context["actor"])
    if not url:
        return format_html(", and {}", "recalled again")
    who = person_link(context, again["by"], again["name"])
    at = ago(datetime.fromisoformat(again["at"]))
    return format_html(", and {} by {} {}", linked("recalled again", url), who, at)


def linked(text: str, url: str = "") -> SafeString:
    """Return ``text``, a link where there is somewhere to go."""
    return format_html('<a href="{}">{}</a>', url, text) if url else format_html("{}", text)


@register.filter
def account_button(attributes: Mapping[str, Any]) -> str:
    """Return how a button of an account's page looks, which those pages say by tags."""
    tags = set(attributes.get("tags") or ())
    if "danger" in tags:
        return "btn btn-danger"
    if tags & {"link", "cancel"}:
        return "btn btn-link"
    if tags & {"outline", "secondary", "tool"} or attributes.get("href"):
        return "btn"
    return "btn btn-primary"
