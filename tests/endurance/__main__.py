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
    parser.add_argument("what", choices=("kill", "crowd", "full", "flips", "workers"))
    parser.add_argument("--rounds", type=int, help="left out: what suits the part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60.0, help="upper limit")
    parser.add_argument("--busy", choices=("wait", "refuse"), default="wait", help="for crowd")
    parser.add_argument("--mixed", action="store_true", help="crowd: deployments among the runs")
    parser.add_argument("--log", type=Path, help="left out: a file in the temporary directory")
    parser.add_argument("--template", type=Path, help="a project to copy instead of a new one")
    options = parser.parse_args()
    if options.what == "full":
        from tests.endurance.full import enter_namespace

        try:
            code = enter_namespace(sys.argv[1:])
        except OSError as error:
            print(error, file=sys.stderr)
            return 2
        if code is not None:
            return code
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
    if options.what == "crowd":
        from tests.endurance import crowd

        crowds = crowd.throng(
            folder, log, options.rounds or 6, options.seed, options.busy, options.minutes,
            options.template, options.mixed,
        )  # fmt: skip
        print(crowd.summarise(crowds))
        return sum(bool(found.faults) for found in crowds)
    if options.what == "workers":
        from tests.endurance import workers

        found, unmarked = workers.kill_workers(
            folder, log, options.rounds or 10, options.seed, options.minutes
        )
        print(workers.summarise(found, unmarked))
        return sum(bool(done.faults) for done in found) + len(unmarked)
    if options.what == "full":
        from tests.endurance import full

        filled = full.fill(
            folder, log, options.rounds or 20, options.seed, options.minutes, options.template
        )
        print(full.summarise(filled))
        return sum(bool(found.faults) for found in filled)
    from tests.endurance import flips

    flipped = flips.flip_all(
        folder, log, options.rounds or 200, options.seed, options.minutes, options.template
    )
    print(flips.summarise(flipped))
    return sum(not flip.found for flip in flipped)


if __name__ == "__main__":
    sys.exit(main())
