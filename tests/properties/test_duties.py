"""The search for too few people, beside a walk through everything that people could do."""

import random

from hypothesis import given
from hypothesis import strategies as st

from apps.governance import duties
from apps.governance.duties import Organisation, environment_access
from tests.support import organisations
from tests.support.reach import fewest_walking

seeds = st.integers(0, 2**32)


@given(seeds, st.booleans(), st.booleans())
def test_the_search_names_the_size_that_a_walk_finds(seed: int, hire: bool, pinned: bool) -> None:
    rng = random.Random(seed)
    organisation, rules = organisations.anything(rng), organisations.any_rules(rng)
    access = environment_access(organisation, "risk", "production", rules, pinned=pinned)
    most = min(3, duties.demanded(rules))
    found = duties.fewest(access, most=most, hire=hire)
    walked = fewest_walking(organisation, rules, most=most, pinned=pinned, hire=hire)
    assert (found.people if found else None) == walked


@given(seeds)
def test_every_planted_path_is_found_and_none_where_there_is_none(seed: int) -> None:
    rng = random.Random(seed)
    kind = rng.choice(["", *organisations.PLANTS])
    draft = organisations.sound(rng, rng.randint(8, 120))
    sound = environment_access(draft.made(), "risk", "production", organisations.TWO_DECIDE)
    assert duties.fewest(sound, most=2) is None
    if kind:
        organisations.PLANTS[kind](draft)
        planted = environment_access(draft.made(), "risk", "production", organisations.TWO_DECIDE)
        assert duties.fewest(planted, most=2) is not None, kind
        assert duties.opened(sound, planted) is not None, kind


@given(seeds)
def test_with_passkeys_every_access_admin_who_suffices_alone_is_found(seed: int) -> None:
    rng = random.Random(seed)
    draft = organisations.signed(rng, rng.randint(8, 60))
    rules = organisations.ONE_SIGNS
    assert (
        duties.fewest(
            environment_access(draft.made(), "risk", "production", rules), most=1, hire=True
        )
        is None
    )
    organisations.SIGNED_PLANTS[rng.choice(sorted(organisations.SIGNED_PLANTS))](draft)
    planted = environment_access(draft.made(), "risk", "production", rules)
    assert duties.fewest(planted, most=1, hire=True) is not None


@given(seeds)
def test_taking_something_away_opens_nothing(seed: int) -> None:
    rng = random.Random(seed)
    whole, rules = organisations.anything(rng), organisations.any_rules(rng)
    less = Organisation(
        whole.people,
        tuple(b for b in whole.bindings if rng.random() < 0.7),
        {name: members for name, members in whole.teams.items() if rng.random() < 0.7},
        whole.services,
        whole.past,
    )
    before, after = (environment_access(o, "risk", "production", rules) for o in (whole, less))
    assert duties.opened(before, after) is None
