"""``python -m avzsl``: the same as the command ``avzsl``."""

import sys

from avzsl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
