"""Where apps above say whose jobs not everybody may see who sees a project."""

from collections.abc import Mapping

from placet.kernel.hooks import Hook


@Hook
def held_back() -> Mapping[str, str]:
    """Name kinds of jobs that those alone may see who hold a permission where the job belongs."""
    return {}
