"""What must hold, tried long and by seed: ``make prove``."""
