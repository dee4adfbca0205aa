"""How ONNX Runtime is to keep memory, so that no answer holds what was computed for another.

``Concat`` leaves the rest of its result as it finds the memory where a part of it has no elements
but a length (onnxruntime/core/providers/cpu/tensor/concat.cc counts that length). So nothing is
kept between requests, and the C library overwrites what is given back: the agent starts the
replica so where ``placet.json`` says ``wipe_memory``.
"""

from typing import Any

from onnxruntime import SessionOptions


def options() -> Any:
    """Return options of a session that takes memory from the C library and gives it back."""
    made = SessionOptions()
    made.enable_cpu_mem_arena = made.enable_mem_pattern = False
    return made
