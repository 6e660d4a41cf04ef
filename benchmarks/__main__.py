"""Run all benchmarks and print what they measured.

python -m benchmarks [NAME ...] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import platform

from benchmarks import (
    augmentation,
    flights,
    history,
    hypothyroid,
    large_pictures,
    neighbours,
    pictures,
    planted,
    race,
    reading,
    rehearsal,
    validation,
)

ALL = {
    "hypothyroid": hypothyroid.measure,
    "validation": validation.measure,
    "flights": flights.measure,
    "history": history.measure,
    "neighbours": neighbours.measure,
    "pictures": pictures.measure,
    "large_pictures": large_pictures.measure,
    "planted": planted.measure,
    "race": race.measure,
    "reading": reading.measure,
    "rehearsal": rehearsal.measure,
    "augmentation": augmentation.measure,
}


def main() -> None:
    """Run the benchmarks that are named, or all of them."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("names", nargs="*", choices=[*ALL, []], help="left out: all")
    parser.add_argument("--rounds", type=int, default=3, help="best of so many, after a warm-up")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, {platform.python_version()}, load before: {load:.2f}")
    if load > 0.5:
        print("The machine is not idle; trust ratios more than seconds.")
    for name in options.names or ALL:
        print(f"\n{name}")
        ALL[name](options.rounds)


if __name__ == "__main__":
    main()
