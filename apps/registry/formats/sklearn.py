"""scikit-learn: one pickle. It is never opened here, so it tells nothing about itself."""

from apps.registry.formats.base import Conversion, Derived, Files, Format, pinned


def derive(files: Files) -> Derived:
    """Return nothing but the format: signature and requirements come from the author."""
    return Derived("sklearn")


FORMAT = Format(
    name="sklearn",
    title="scikit-learn",
    endings=(".joblib", ".pkl", ".pickle"),
    derive=derive,
    lacking=pinned("scikit-learn==1.7.2"),
    packages=("scikit-learn", "joblib"),
    shared=("placet_estimator.py",),
    onnx=Conversion("estimator", ("skl2onnx", "onnxruntime")),
)
