"""Backup and restore of a whole installation: database, artifacts, checkpoints; keys apart."""
