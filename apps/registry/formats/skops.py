"""skops: a zip of a schema and arrays. It names its types but tells no signature."""

from apps.registry.formats.base import Conversion, Derived, Files, Format, pinned, refusal

ENDINGS = (".skops",)
ZIP = b"PK\x03\x04"


def derive(files: Files) -> Derived:
    """Return nothing but the format; the scan of the build reads the types it is made of."""
    path = files.ending(*ENDINGS)[0]
    if files.header(path, len(ZIP)) != ZIP:
        raise refusal(path, "not a skops file (it is no zip archive): write it with skops.io.dump")
    return Derived("skops")


FORMAT = Format(
    name="skops",
    title="skops",
    endings=ENDINGS,
    derive=derive,
    lacking=pinned("scikit-learn==1.7.2"),
    packages=("scikit-learn", "skops"),
    safe_from={"skops": {"skops": "0.16"}, "sklearn": {"scikit-learn": "1.5"}},
    shared=("placet_estimator.py",),
    trusts_types=True,
    onnx=Conversion("estimator", ("skl2onnx", "onnxruntime")),
)
