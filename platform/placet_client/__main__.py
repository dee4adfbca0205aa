"""``python -m placet_client``."""

import sys

from placet_client.cli import main

sys.exit(main())
