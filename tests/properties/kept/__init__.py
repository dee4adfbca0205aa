"""Requests over connections that clients keep: what is asked, by whom, and who answers."""
