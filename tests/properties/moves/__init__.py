"""Parts of the machine that moves people, policies and rows at random: see ``test_moves``."""
