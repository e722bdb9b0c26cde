"""``python -m hubseg.cli``: the hubseg command."""

from hubseg.cli import main

raise SystemExit(main())
