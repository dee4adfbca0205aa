"""What somebody is told who lacks a permission: what it is called, and how one comes by it."""

from collections.abc import Collection, Iterable, Sequence

from django.urls import reverse

from apps.identity.hooks import roles_told
from apps.identity.models import ApiToken, Project
from apps.identity.queries import held_grants, holders, people_with, withheld_roles
from apps.identity.rules import NEVER_BY_TOKEN, ROLES
from apps.identity.rules.permissions import in_words, roles_with
from apps.identity.rules.presets import preset_for
from placet.kernel.actor import Actor, Grant, Scope
from placet.kernel.config import config
from placet.kernel.words import a_few

MANAGE = "access.manage"  # who has it gives roles
MAKE_ONE = "make one on the server by manage.py create_admin --email ADDRESS"
NAMED = 3  # places of a role that is held too narrowly


def say_what_is_lacking(
    actor: Actor,
    permissions: Sequence[str],
    scope: Scope | None,
    without: Collection[str] = (),
) -> str:
    """Return the sentence for ``actor``, who has none of ``permissions`` at ``scope``. It names who
    has them, but for the people ``without``.

    To a program it says whether its token was made too narrow, or its holder may not do it either:
    two different people can mend that.
    """
    if waiting := _waiting_for_factor(actor, permissions):
        return second_factor_needed(waiting)
    token = ApiToken.objects.filter(pk=actor.token).first() if actor.token else None
    who = actor.label if actor.kind == "service" else "you"
    given = _role_is_given(permissions, who, _narrower(actor, permissions, scope), scope)
    given += f": {giver_told(actor, scope, who)}{_who_holds(actor, permissions, scope, without)}"
    if token is None:
        return f"{_needs(permissions)}{given}"
    held = [p for p in permissions if _holds(actor, p, scope)]
    if not held:
        either = f", and {who} may not do it either"
        return f"{_needs(permissions)}{either}{given}"
    able = [p for p in held if p not in NEVER_BY_TOKEN]
    if not able:
        return f"{_needs(held)}, which no token carries: do it at {config().public_origin}"
    return _narrow(token, able[0], who)


def whom_to_ask(actor: Actor, scope: Scope | None, what: str = "that role") -> str:
    """Say as a sentence whom ``actor`` asks for a role at ``scope``, which is called ``what``."""
    giver = who_gives_roles(actor, scope)
    if giver:
        return f"Ask {giver} for {what}."
    return f"There is no other access administrator who could give {what}: {MAKE_ONE}."


def who_gives_roles(actor: Actor, scope: Scope | None) -> str:
    """Return whom ``actor`` asks for a role at ``scope``; ``None`` is anywhere. Who gives roles
    there asks somebody else who does, as nobody widens their own access: '' where nobody does."""
    held = held_grants(actor.id) if actor.token else actor.grants
    gives = (grant.scope for grant in held if grant.permission == MANAGE)
    if not any(scope is None or given.covers(scope) for given in gives):
        return "an access administrator"
    others = any(one.pk != actor.accountable for one in people_with(MANAGE, scope))
    return "another access administrator" if others else ""


def giver_told(actor: Actor, scope: Scope | None, who: str) -> str:
    """Say who can give a role at ``scope`` to ``who``, as far as ``actor`` may know them."""
    giver = who_gives_roles(actor, scope)
    if giver:
        return f"{giver} can give it to {who}"
    return (
        f"only another access administrator could give it to {who}, and there is none: {MAKE_ONE}"
    )


def second_factor_needed(roles: Iterable[str]) -> str:
    """Return what is said to who has ``roles`` that wait for their second factor."""
    named = sorted(roles)
    what = f"Your role {named[0]} waits" if len(named) == 1 else f"Your roles {_listed(named)} wait"
    where = f"{config().public_origin}{reverse('mfa_index')}"
    return f"{what} for a second factor of yours: add an authenticator app or a passkey at {where}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _waiting_for_factor(actor: Actor, permissions: Sequence[str]) -> list[str]:
    if actor.kind != "person":
        return []
    roles = actor.withheld if actor.in_session else withheld_roles(actor.id)
    return [role for role in roles if ROLES.get(role, frozenset()) & frozenset(permissions)]


def _needs(permissions: Sequence[str]) -> str:
    return f"This needs {_quoted(permissions)}"


def _quoted(permissions: Sequence[str]) -> str:
    return " or ".join(f'"{in_words(p)}"' for p in permissions)


def _role_is_given(
    permissions: Sequence[str], who: str, narrower: Collection[Grant], scope: Scope | None
) -> str:
    roles = sorted({role for p in permissions for role in roles_with(p)})
    where = ""
    if narrower and scope is not None:
        held = "it" if len(roles) == 1 else _listed(sorted({grant.role for grant in narrower}))
        hold = "hold" if who == "you" else "holds"
        whole = "project" if scope.project else "instance"
        where = f" in the whole {whole}; {who} {hold} {held} in {_places(narrower)}"
    word = "role" if len(roles) == 1 else "roles"
    return f" ({word} {' or '.join(roles)}{where})"


def _who_holds(
    actor: Actor, permissions: Sequence[str], scope: Scope | None, without: Collection[str]
) -> str:
    told = named_holders(actor, permissions, scope, without={actor.accountable, *without})
    return f"; {told}" if told else ""


def named_holders(
    actor: Actor, permissions: Sequence[str], scope: Scope | None, *, without: Collection[str]
) -> str:
    """Say who holds a role at ``scope`` that gives one of ``permissions`` and could use it now, but
    for the people ``without``, as far as ``actor`` may know them: ``Ann and Bob hold it``, or
    ``hold approver`` where there is another role that would do, whose holders ``actor`` may not
    know; '' where that is nobody, or it may be held anywhere."""
    if scope is None:
        return ""
    asked = {role for p in permissions for role in roles_with(p)}
    here, everywhere = (
        asked & {role for roles in roles_told(actor, where) for role in roles}
        for where in (scope, Scope())  # who knows the one need not know the other
    )
    if not here:
        return ""
    known = holders(here, everywhere, scope, ready=True).exclude(pk__in=without)
    named = list(known.exclude(name="").order_by("name", "pk").values_list("name", flat=True))
    held = "it" if here == asked else " or ".join(sorted(here))
    return f"{a_few(named)} {'holds' if len(named) == 1 else 'hold'} {held}" if named else ""


def _narrower(actor: Actor, permissions: Sequence[str], scope: Scope | None) -> list[Grant]:
    """Return the roles that would do, were they not held in a part of ``scope`` alone."""
    if scope is None or scope.environment:
        return []
    held = held_grants(actor.id) if actor.token else actor.grants
    able = (grant for grant in held if grant.permission in permissions and grant.role)
    return [g for g in able if scope.covers(g.scope) and not g.scope.covers(scope)]


def _places(grants: Iterable[Grant]) -> str:
    scopes = {grant.scope for grant in grants}
    slugs = dict(
        Project.objects.filter(pk__in={s.project for s in scopes}).values_list("pk", "slug")
    )
    named = ("/".join(filter(None, (slugs.get(s.project or ""), s.environment))) for s in scopes)
    names = sorted(named)
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return _listed([*names[:NAMED], *more])


def _narrow(token: ApiToken, permission: str, who: str) -> str:
    """Return what is said to a token that was made without what its holder may do."""
    said = f'does not include "{in_words(permission)}"'
    if permission in token.scopes:
        said = f'reaches one project alone, and this needs "{in_words(permission)}" beyond it'
    preset = preset_for({*token.scopes, permission})
    where = f"{config().public_origin}/tokens/?preset={preset}"
    return f'Your token "{token.name}" {said} ({who} may). Make one that does: {where}'


def _holds(actor: Actor, permission: str, scope: Scope | None) -> bool:
    grants = (g for g in held_grants(actor.id) if g.permission == permission)
    return any(scope is None or grant.scope.covers(scope) for grant in grants)
