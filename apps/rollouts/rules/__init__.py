"""How an endpoint moves from one revision to the next: one pure function, without Django.

::

    starting ──► shifting ◄──► waiting      the steps of the plan, one after the other
       │            │             │           and analysing, the same way as waiting
       │            └──────┬──────┘
       │                   ▼
       │               draining ──► done    a drill makes nothing live: returning ──► done
       │
       ├─► aborting ◄── shifting, waiting   all requests are back first, then it is tidied up
       │      └─► aborted, failed
       └─► failed ◄──── shifting, waiting   there is nothing to go back to

``starting``   the candidate is wanted at weight 0, until every replica is ready
``shifting``   the candidate has the weight of the step; until the target says that it applies
``waiting``    a pause of the plan: for a time, or for a person
``analysing``  the candidate is held against what is allowed, or tested for an effect; one that
               fails gives its requests back, held or not
``draining``   the candidate is live; stable is kept warm, or drained and stopped
``returning``  a drill has seen all requests at the former revision: the live one has all the weight
               again, until the target says that it applies
``aborting``   stable has all the weight again; waits until the target says so

Somebody may hold a rollout in any of the first four states (``paused``): then no step begins.
So does the rollout itself, where a step did not get the replicas in time that it waits for.
A rollback, a drill, and a release where nothing is live take all requests at once, whatever the
plan says.
"""

from apps.rollouts.rules.deciding import go_on, next_step, promote, skip
from apps.rollouts.rules.facts import (
    DRAIN_SECONDS,
    DRILL_SECONDS,
    TRANSITIONS,
    Intent,
    RevisionChange,
    RevisionFacts,
    RolloutSnapshot,
    steps_for,
)
from apps.rollouts.rules.growing import is_held
from apps.rollouts.rules.passing import PROMOTE, SKIP, PassedStep, PassingVerb, passed_over
from apps.rollouts.states import OPEN_STATES, STEPPING

__all__ = [
    "DRAIN_SECONDS",
    "DRILL_SECONDS",
    "OPEN_STATES",
    "PROMOTE",
    "SKIP",
    "STEPPING",
    "TRANSITIONS",
    "Intent",
    "PassedStep",
    "PassingVerb",
    "RevisionChange",
    "RevisionFacts",
    "RolloutSnapshot",
    "go_on",
    "is_held",
    "next_step",
    "passed_over",
    "promote",
    "skip",
    "steps_for",
]
