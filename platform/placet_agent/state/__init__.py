"""What a node believes and never forgets: its key, the states it follows, recalls, aborts."""
