"""What the web process does by the clock: only it may load the key that signs requests.

``workers.tasks.web`` has the workers know these too, so that what ended long ago is removed. They
claim none of them: the queue is not theirs.
"""

from typing import Any

from apps.governance import actions
from apps.governance.queries.promotions import to_promote
from apps.jobs.handlers import LeasedJob, every

QUEUE = "web"


@every(seconds=10, name="governance.promote", queue=QUEUE, when=lambda: [to_promote()])
def promote(job: LeasedJob) -> dict[str, Any]:
    """Open the requests that follow what has soaked."""
    return {"opened": actions.open_promoted()}
