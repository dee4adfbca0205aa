"""Pure decisions of the registry: every function returns the faults it finds, in words."""

from apps.registry.rules.evidence import (
    KINDS,
    MEASURED_KINDS,
    card_data,
    evidence_faults,
    is_latency,
    is_metric,
    is_parameter,
    lineage_faults,
    parameter_faults,
    tag_faults,
)
from apps.registry.rules.names import (
    alias_faults,
    label_faults,
    model_name_faults,
    path_faults,
    python_version_faults,
    reserved_alias_faults,
    variable_faults,
)
from apps.registry.rules.outputs import answer_form, output_faults
from apps.registry.rules.requirements import pinned_version, requirement_faults
from apps.registry.rules.signature import (
    TYPES,
    example_faults,
    expected_faults,
    rows_faults,
    signature_faults,
)
from apps.registry.rules.size import MAX_FROZEN_BYTES, size_faults

__all__ = [
    "KINDS",
    "MAX_FROZEN_BYTES",
    "MEASURED_KINDS",
    "TYPES",
    "alias_faults",
    "answer_form",
    "card_data",
    "evidence_faults",
    "example_faults",
    "expected_faults",
    "is_latency",
    "is_metric",
    "is_parameter",
    "label_faults",
    "lineage_faults",
    "model_name_faults",
    "output_faults",
    "parameter_faults",
    "path_faults",
    "pinned_version",
    "python_version_faults",
    "requirement_faults",
    "reserved_alias_faults",
    "rows_faults",
    "signature_faults",
    "size_faults",
    "tag_faults",
    "variable_faults",
]
