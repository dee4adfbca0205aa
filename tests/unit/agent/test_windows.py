"""Windows of counts, as the meter closes them and the platform reads them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from placet_agent.haproxy.admin import Admin
from placet_agent.metrics import Meter, parse_line
from placet_protocol.report.windows import read_window


@pytest.mark.parametrize(
    ("took", "told"), [(10.0, 10.0), (3700.0, 3600.0), (0.0003, 0.001), (0.0, 0.001)]
)
def test_a_window_is_one_that_the_platform_reads_however_late_it_was_closed(
    tmp_path: Path, took: float, told: float
) -> None:
    meter = Meter(tmp_path, Admin(tmp_path), seconds=1000)
    meter.start()
    line = parse_line("m2 1 e000r1 rev_1 200 3 - - -")
    assert line is not None
    meter._count(line)
    meter._close_window(datetime.now(UTC), took)
    ((window,), _) = meter.take()
    meter.stop()
    read = read_window(json.loads(json.dumps(window)), "/metrics/0")
    assert (read["seconds"], read["status_2xx"]) == (told, 1)
