"""skops: a zip of a schema and arrays. It names its types but tells no signature."""

from apps.registry.formats.base import Derived, Files, refusal

ENDINGS = (".skops",)
ZIP = b"PK\x03\x04"


def derive(files: Files) -> Derived:
    """Return nothing but the format; the scan of the build reads the types it is made of."""
    path = files.ending(*ENDINGS)[0]
    if files.header(path, len(ZIP)) != ZIP:
        raise refusal(path, "not a skops file (it is no zip archive): write it with skops.io.dump")
    return Derived("skops")
