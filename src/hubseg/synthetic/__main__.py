"""``python -m hubseg.synthetic OUT``: write the sample slides and their truth into a folder."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from hubseg.synthetic.samples import (
    SAMPLES,
    kidneys,
    write_samples,
    write_steel,
    write_structures,
)
from hubseg.synthetic.whole_slide import WholeSlide, write_whole_slide


def main() -> int:
    """Read the command line, write the samples, name what was written."""
    parser = argparse.ArgumentParser(prog="python -m hubseg.synthetic", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for train.csv and train_images/, or a file")
    parser.add_argument("--height", type=int, help="px (default: 3000, of steel 256)")
    parser.add_argument("--width", type=int, help="px (default: 3000, of steel 1600)")
    parser.add_argument(
        "--kidneys", type=int, metavar="N", help="write N kidneys to train on, not the sample set"
    )
    parser.add_argument("--first-seed", type=int, default=1000, help="default: %(default)s")
    parser.add_argument(
        "--structures", action="store_true", help="also classes.csv, with a row for each structure"
    )
    parser.add_argument(
        "--steel", type=int, metavar="N", help="write N strips of steel of 256 x 1600 px instead"
    )
    parser.add_argument(
        "--whole-slide", action="store_true", help="write OUT, one slide as a scanner's pyramid"
    )
    given = parser.parse_args()
    if given.whole_slide:
        return _write_whole(given.out, given.height or 16_000, given.width or 20_000)
    usual = (256, 1600) if given.steel else (3000, 3000)
    size = {"height": given.height or usual[0], "width": given.width or usual[1]}
    if given.steel:
        ids = write_steel(given.out, given.steel, first_seed=given.first_seed, **size)
    else:
        samples = kidneys(given.kidneys, first_seed=given.first_seed) if given.kidneys else SAMPLES
        ids = (write_structures if given.structures else write_samples)(given.out, samples, **size)
    ending = "png" if given.steel else "tiff"
    sys.stdout.write("".join(f"{given.out / 'train_images' / name}.{ending}\n" for name in ids))
    return 0


def _write_whole(path: Path, height: int, width: int) -> int:
    """Write a whole slide, and a line whenever another hundredth of its tiles is written."""

    def told(done: int, total: int) -> bool:
        if done == total or done % max(1, total // 100) == 0:
            sys.stdout.write(f"{done}/{total}\n")
            sys.stdout.flush()
        return True

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is written is removed
    write_whole_slide(path, WholeSlide(height, width), told)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
