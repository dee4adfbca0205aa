"""A token's text, and what is left of its holder's permissions."""

import pytest

from apps.identity.rules import (
    NEVER_BY_TOKEN,
    PERMISSIONS,
    ROLES,
    SCOPES,
    cut,
    grants_of,
    new_token_text,
    token_prefix,
)
from placet.kernel.actor import Actor, Scope


def holder(*bindings: tuple[str, str | None, str]) -> Actor:
    return Actor(kind="person", id="per_1", grants=grants_of(bindings))


def by_token(actor: Actor, *scopes: str, project: str | None = None) -> Actor:
    return Actor(
        kind="person",
        id="per_1",
        token="tok_1",
        grants=cut(actor.grants, scopes=scopes, project=project),
    )


def test_a_fresh_token_tells_its_prefix() -> None:
    text, prefix = new_token_text()
    assert text.startswith(f"plc_{prefix}_")
    assert token_prefix(text) == prefix


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t[:-1],
        lambda t: t + "0",
        lambda t: t.replace("plc_", "plx_"),
        lambda t: "",
        lambda t: t[:20] + ("A" if t[20] != "A" else "B") + t[21:],
        lambda t: t + "\n",
    ],
)
def test_a_cut_or_mistyped_token_is_noticed_by_its_checksum(spoil: object) -> None:
    text, _ = new_token_text()
    assert token_prefix(spoil(text)) is None  # type: ignore[operator]


def test_no_token_ever_carries_a_decision_even_with_every_scope_and_role() -> None:
    mighty = holder(*((role, None, "") for role in ROLES))
    token = by_token(mighty, *PERMISSIONS)
    assert not any(token.can_somewhere(p) for p in NEVER_BY_TOKEN)
    assert {g.role for g in token.grants} == {""}
    assert {g.permission for g in token.grants} == SCOPES


def test_a_token_has_no_more_than_its_scopes_and_no_more_than_its_holder() -> None:
    ada = holder(("contributor", "prj_1", ""))
    token = by_token(ada, "model.view", "rollout.start")
    assert token.can("model.view", Scope("prj_1"))
    assert not token.can("model.create", Scope("prj_1"))
    assert not token.can("rollout.start", Scope("prj_1"))


def test_a_project_limit_cuts_an_instance_role_down_to_that_project() -> None:
    oscar = holder(("operator", None, ""), ("viewer", "prj_2", ""))
    token = by_token(oscar, "model.view", "rollout.start", project="prj_1")
    assert token.can("rollout.start", Scope("prj_1", "production"))
    assert not token.can("rollout.start")
    assert not token.can("model.view", Scope("prj_2"))


def test_an_environment_role_stays_in_its_environment_under_a_project_limit() -> None:
    oscar = holder(("operator", "prj_1", "staging"))
    token = by_token(oscar, "model.view", "rollout.start", project="prj_1")
    assert token.can("rollout.start", Scope("prj_1", "staging"))
    assert not token.can("rollout.start", Scope("prj_1", "production"))
    assert token.can("model.view", Scope("prj_1"))
