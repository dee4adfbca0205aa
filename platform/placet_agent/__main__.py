"""``python -m placet_agent``."""

from placet_agent.cli import app

app(prog_name="placet-agent")
