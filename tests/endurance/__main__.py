"""The command: python -m tests.endurance WHAT."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.endurance.project import Log


def main() -> int:
    """Run one part; return 0 if no rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("what", choices=("kill", "crowd", "full", "flips"))
    parser.add_argument("--rounds", type=int, help="left out: what suits the part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60.0, help="upper limit")
    parser.add_argument("--busy", choices=("wait", "refuse"), default="wait", help="for crowd")
    parser.add_argument("--log", type=Path, help="left out: a file in the temporary directory")
    parser.add_argument("--template", type=Path, help="a project to copy instead of a new one")
    options = parser.parse_args()
    stamp = time.strftime("%Y%m%d-%H%M%S")
    log = options.log or Path(tempfile.gettempdir()) / f"endurance-{options.what}-{stamp}.jsonl"
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        faults = run_part(options, Path(folder), Log(log))
    print(f"log: {log}")
    return 1 if faults else 0


def run_part(options: argparse.Namespace, folder: Path, log: Log) -> int:
    """Run a part, print its summary; return the number of rounds that broke a rule."""
    if options.what == "kill":
        from tests.endurance import kill

        killed = kill.hunt(
            folder, log, options.rounds or 60, options.seed, options.minutes, options.template
        )
        print(kill.summarise(killed))
        return sum(bool(done.faults) for done in killed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
