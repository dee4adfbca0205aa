"""BentoML's monitoring hook, with a monitor that appends lines to files that the node reads."""

from typing import Any

import bentoml
from bentoml.monitoring import MonitorBase
from placet_capture import Files


class Lines(MonitorBase):  # type: ignore[misc, type-arg]
    """A monitor whose records are whole predictions."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._files = Files()

    def export_schema(self, columns_schema: Any) -> None:
        """Do nothing: every record has the same members."""

    def export_data(self, datas: Any) -> None:
        """Append one record."""
        for record in datas["record"]:
            self._files.append(record)


def log(record: dict[str, Any]) -> None:
    """Hand one prediction to BentoML's hook."""
    with bentoml.monitor("placet", Lines, {}) as monitor:
        monitor.log(record, "record", "prediction", "categorical")
