"""PostgreSQL of the embedded services."""

import os
import shutil
from pathlib import Path

from placet.embedded.postgres import Cluster


def test_it_starts_for_whoever_shares_nothing_by_default(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        cluster = Cluster.at(tmp_path / "data", durable=False)
        cluster.start()
    finally:
        os.umask(old)
    try:
        assert cluster.pid() is not None
        assert cluster.home.stat().st_mode & 0o777 == 0o700
    finally:
        cluster.stop()
        shutil.rmtree(cluster.home)
