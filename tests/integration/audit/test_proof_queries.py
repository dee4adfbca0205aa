"""A proof is made from few reads, however many tiles lie under the unfinished one."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.actions import record, write_checkpoint
from apps.audit.queries import inclusion
from apps.identity.events import PROJECT_UPDATED
from placet.kernel.actor import SYSTEM
from placet_verify.log import merkle
from tests.support.factories import project

pytestmark = pytest.mark.django_db


def test_a_proof_over_many_tiles_takes_few_queries() -> None:
    risk = project("risk")
    with record(SYSTEM) as log:
        for _ in range(7 * 256 + 20):
            log.add(PROJECT_UPDATED, risk)
    head = write_checkpoint()
    assert head is not None
    with CaptureQueriesContext(connection) as caught:
        proof = inclusion(300)
    assert len(caught) <= 4  # heads, tiles and roots, leaves of the event and of the edge
    path = [bytes.fromhex(step) for step in proof.hashes]
    leaf = bytes.fromhex(proof.leaf_hash)
    assert merkle.verify_inclusion(leaf, 300, proof.size, path, bytes(head.root))
