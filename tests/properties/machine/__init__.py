"""The parts of the machine in ``test_rollouts``: who and what acts on a rollout, and what holds."""
