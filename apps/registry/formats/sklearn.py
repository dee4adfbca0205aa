"""scikit-learn: one pickle. It is never opened here, so it tells nothing about itself."""

from apps.registry.formats.base import Derived, Files

ENDINGS = (".joblib", ".pkl", ".pickle")


def derive(files: Files) -> Derived:
    """Return nothing but the format: signature and requirements come from the author."""
    return Derived("sklearn")
