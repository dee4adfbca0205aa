import time, pytest
from tests.support.world import World
from tests.support.enrolment import Signers
from tests.support import rows
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("n", range(3))
def test_a(n):
    t=time.time(); w = World(); print(time.time()-t)
    w.decide(w.request("staging"), w.rex)
    assert w.project.name
@pytest.mark.django_db
@pytest.mark.parametrize("n", range(3))
def test_b(n):
    assert rows._is_first()
    t=time.time(); w = Signers(); print(time.time()-t)
    w.publish("staging", "version: 1\ngates:\n  - {gate: build}\n")
    assert not rows._is_first()
