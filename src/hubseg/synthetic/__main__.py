"""``python -m hubseg.synthetic OUT``: write the sample slides and their truth into a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hubseg.synthetic import write_samples


def main() -> int:
    """Read the command line, write the samples, name what was written."""
    parser = argparse.ArgumentParser(prog="python -m hubseg.synthetic", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for train.csv and train_images/")
    parser.add_argument("--height", type=int, default=3000, help="px (default: %(default)s)")
    parser.add_argument("--width", type=int, default=3000, help="px (default: %(default)s)")
    given = parser.parse_args()
    ids = write_samples(given.out, height=given.height, width=given.width)
    sys.stdout.write("".join(f"{given.out / 'train_images' / name}.tiff\n" for name in ids))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
