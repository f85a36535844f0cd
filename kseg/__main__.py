"""`python -m kseg` is the `kseg` command."""

import sys

from kseg.cli.main import main

sys.exit(main())
