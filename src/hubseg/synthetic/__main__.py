"""``python -m hubseg.synthetic OUT``: write the sample slides and their truth into a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hubseg.synthetic.samples import SAMPLES, kidneys, write_samples


def main() -> int:
    """Read the command line, write the samples, name what was written."""
    parser = argparse.ArgumentParser(prog="python -m hubseg.synthetic", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for train.csv and train_images/")
    parser.add_argument("--height", type=int, default=3000, help="px (default: %(default)s)")
    parser.add_argument("--width", type=int, default=3000, help="px (default: %(default)s)")
    parser.add_argument(
        "--kidneys", type=int, metavar="N", help="write N kidneys to train on, not the sample set"
    )
    parser.add_argument("--first-seed", type=int, default=1000, help="default: %(default)s")
    given = parser.parse_args()
    samples = kidneys(given.kidneys, first_seed=given.first_seed) if given.kidneys else SAMPLES
    ids = write_samples(given.out, samples, height=given.height, width=given.width)
    sys.stdout.write("".join(f"{given.out / 'train_images' / name}.tiff\n" for name in ids))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
