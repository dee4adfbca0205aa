"""What a token may do, chosen by its use; and what each permission is called."""

import pytest

from apps.identity.rules import NEVER_BY_TOKEN, PERMISSIONS, ROLES, SCOPES
from apps.identity.rules.permissions import GROUPS, WORDS, in_groups, in_words, roles_with
from apps.identity.rules.presets import DEFAULT, PRESETS, preset_for, preset_scopes


def test_every_permission_has_words_and_no_two_have_the_same() -> None:
    assert set(WORDS) == PERMISSIONS
    assert len(set(WORDS.values())) == len(PERMISSIONS)
    assert sum(len(group) for group in GROUPS.values()) == len(PERMISSIONS)
    assert in_words("model.create") == "Register models"
    assert in_words("gone.since") == "gone.since"
    assert all(roles_with(permission) for permission in PERMISSIONS)


def test_those_that_are_asked_for_stand_in_their_groups() -> None:
    assert in_groups(["build.start", "model.view"]) == [
        ("Models and builds", [("model.view", "View models"), ("build.start", "Start builds")])
    ]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_has_permissions_that_a_token_may_carry(preset: object) -> None:
    assert preset.permissions  # type: ignore[attr-defined]
    assert preset.permissions <= SCOPES  # type: ignore[attr-defined]


def test_a_data_scientist_at_the_command_line_registers_builds_and_requests() -> None:
    scopes = preset_scopes(DEFAULT, ROLES["contributor"])
    assert scopes is not None
    assert {"model.create", "version.create", "build.start", "release.request"} <= set(scopes)
    assert set(scopes) == ROLES["contributor"]


def test_the_command_line_neither_decides_nor_gives_access() -> None:
    everything = preset_scopes("cli", PERMISSIONS)
    assert everything is not None
    assert NEVER_BY_TOKEN & set(everything) == set()
    assert "access.manage" not in everything


def test_a_pipeline_registers_and_builds_and_a_reader_changes_nothing() -> None:
    ci, read = (preset_scopes(name, ROLES["contributor"]) or [] for name in ("ci", "read"))
    assert {"model.create", "version.create", "evidence.add", "build.start"} <= set(ci)
    assert "release.request" not in ci
    assert all(name.endswith(".view") for name in read)
    assert set(read) < set(ci)


def test_a_token_by_a_preset_has_nothing_that_its_holder_has_not() -> None:
    assert preset_scopes("cli", ROLES["viewer"]) == sorted(ROLES["viewer"])
    assert preset_scopes("ci", ()) == []
    assert preset_scopes("custom", ROLES["viewer"]) is None
    assert preset_scopes("nothing", ROLES["viewer"]) is None


def test_the_narrowest_preset_that_will_do_is_named() -> None:
    assert preset_for({"model.view", "model.create"}) == "ci"
    assert preset_for({"model.view", "release.request"}) == "cli"
    assert preset_for({"audit.view"}) == "read"
    assert preset_for({"model.view", "gone.since"}) == "read"
