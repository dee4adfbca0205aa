"""A slice of the campaign of ``proofs/tampers.py``."""

from proofs.tampers import KINDS, campaign


def test_every_tamper_is_located() -> None:
    tally = campaign(1500, seed=7)
    assert tally.missed == []
    assert set(tally.made) == {kind.__name__ for kind in KINDS}
    assert tally.exact > 1000
