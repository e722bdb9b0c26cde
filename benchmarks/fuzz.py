"""Damaged files: each is read rightly or refused in one sentence, soon and in little room.

    hubseg bench fuzz [--tiffs 5000] [--checkpoints 1000] [--csvs 1000] [--zoo DIR] [--keep DIR]

Whole files are damaged (bits and bytes changed, sizes replaced, cut off, pieces missing, holes of
noughts) and read by processes of their own: pixels, pyramid levels, tensors, scores, rows, masks.
A finding is a reader that dies, takes more than 5 s of processor time or more than 2 GB, raises
anything but ValueError or OSError, or refuses in more or less than one sentence. Every mutant
follows from the seed, its kind and its number. Exit status 1 when there is a finding; the files
behind them are kept in --keep.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from _mutants import MAKERS, mutated

READERS = Path(__file__).with_name("_readers.py")
SECONDS, GIGABYTES = 5.0, 2.0
STANDSTILL_S = 300.0  # a reader that computes nothing is not limited by processor time
CLEAN = ("read", "refused")


@dataclass
class Reader:
    """A process that reads files of one kind; another takes its place when it dies."""

    kind: str
    process: subprocess.Popen[str] | None = None
    complaints: IO[str] = field(default_factory=lambda: tempfile.TemporaryFile("w+"))

    def start(self) -> subprocess.Popen[str]:
        """Return the process, ready to read."""
        if self.process is None:
            command = [sys.executable, str(READERS), self.kind, str(GIGABYTES), str(SECONDS)]
            alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.complaints,
                text=True,
                env={**os.environ, **alone},
            )
            if self._line() != "ready":
                raise SystemExit(f"The reader of {self.kind} does not start: {self._complaint()}")
        return self.process

    def read(self, path: Path) -> dict[str, object]:
        """Return what became of a file."""
        process = self.start()
        if process.stdin is None:
            raise SystemExit("The reader cannot be asked.")
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        line = self._line()
        if line:
            return dict(json.loads(line))
        process.communicate()  # closes what led to it
        said, code, self.process = self._complaint(), process.returncode, None
        became = {-signal.SIGPROF: "too long", -signal.SIGKILL: "stands still"}.get(code, "died")
        return {"became": became, "said": f"exit status {code}: {said}", "peak_mb": 0}

    def _line(self) -> str:
        """Return the next line, empty when there is none any more or none comes."""
        if self.process is None or self.process.stdout is None:
            return ""
        if not select.select([self.process.stdout], [], [], STANDSTILL_S)[0]:
            self.process.kill()
        return self.process.stdout.readline().strip()

    def _complaint(self) -> str:
        self.complaints.seek(0)
        lines = self.complaints.read().split("\n")
        self.complaints.seek(0, os.SEEK_END)
        return next((line for line in reversed(lines) if line.strip()), "no word")

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None
        self.complaints.close()


@dataclass
class Tally:
    """What became of the files of a kind, and the findings: number, what became, and words."""

    kind: str
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[str, str, str]] = field(default_factory=list)
    peak_mb: int = 0

    def add(self, name: str, answer: dict[str, object]) -> bool:
        """Count an answer; tell whether it is a finding."""
        became, said = str(answer["became"]), str(answer["said"])
        self.counts[became] += 1
        self.peak_mb = max(self.peak_mb, int(str(answer["peak_mb"])))
        if became in CLEAN:
            return False
        self.findings.append((name, became, said))
        return True


def seeds(kind: str, folder: Path, zoo: Path | None) -> list[Path]:
    """Return the whole files of a kind: made here, and for TIFFs those of a folder besides."""
    folder.mkdir()
    MAKERS[kind](folder)
    ours = sorted(path for path in folder.iterdir() if path.is_file())
    theirs = sorted(zoo.glob("*.tif*")) if kind == "tiff" and zoo is not None else []
    return [*ours, *(path for path in theirs if path.stat().st_size < 2_000_000)]


def fuzz(kind: str, count: int, *, seed: int, readers: int, zoo: Path | None, keep: Path) -> Tally:
    """Read `count` mutants of a kind."""
    tally = Tally(kind)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        whole = seeds(kind, Path(scratch, kind), zoo)
        number = iter(range(count))  # next() is atomic: each number goes to one reader

        def work(reader: Reader) -> None:
            for n in number:
                origin = whole[n % len(whole)]
                rng = np.random.default_rng([seed, n, *kind.encode()])
                mutant = Path(scratch, kind, f"mutant_{n}{origin.suffix}")
                mutant.write_bytes(mutated(origin.read_bytes(), rng))
                if tally.add(f"{n} of {origin.name}", reader.read(mutant)):
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{kind}_{n}{origin.suffix}").write_bytes(mutant.read_bytes())
                mutant.unlink()

        pool = [Reader(kind) for _ in range(readers)]
        try:
            with ThreadPoolExecutor(readers) as threads:
                for done in [threads.submit(work, reader) for reader in pool]:
                    done.result()
        finally:
            for reader in pool:
                reader.close()
    return tally


def main(arguments: list[str] | None = None) -> int:
    """Read mutants of every kind and print what became of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for kind, count in (("tiff", 5000), ("checkpoint", 1000), ("csv", 1000)):
        parser.add_argument(f"--{kind}s", type=int, default=count, help="how many")
    parser.add_argument("--zoo", type=Path, help="folder of more whole TIFFs")
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz_findings"), help="where findings go"
    )
    parser.add_argument("--seed", type=int, default=13, help="another number, other mutants")
    parser.add_argument("--readers", type=int, default=os.cpu_count() or 1, help="at a time")
    given = parser.parse_args(arguments)
    found = 0
    for kind in MAKERS:
        begun = time.monotonic()
        tally = fuzz(
            kind,
            getattr(given, f"{kind}s"),
            seed=given.seed,
            readers=given.readers,
            zoo=given.zoo,
            keep=given.keep,
        )
        counts = ", ".join(f"{tally.counts[became]} {became}" for became in sorted(tally.counts))
        print(f"{kind}: {counts}; at most {tally.peak_mb} MB; {time.monotonic() - begun:.0f} s")
        for name, became, said in sorted(tally.findings, key=lambda found: found[1:]):
            print(f"    {became}: {name}: {said[:300]}")
        found += len(tally.findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
