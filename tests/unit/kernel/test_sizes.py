"""A number of bytes is said by the unit that fits."""

import pytest

from placet.kernel.sizes import spell_size


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (26_112, "26.1 kB"),
        (150_000, "150 kB"),
        (4_200_000, "4.2 MB"),
        (3_000_000_000_000, "3.0 TB"),
    ],
)
def test_a_size_has_the_unit_that_fits(count: int, said: str) -> None:
    assert spell_size(count) == said
