"""Run the libraries' own tests, from their wheels, on our classes in place of theirs.

python -m tests.drop_in
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.drop_in.borrowed import MODULES, run_borrowed


def main() -> None:
    """Print how many tests of each module passed."""
    with TemporaryDirectory() as folder:
        for module in MODULES:
            outcome = run_borrowed([module], Path(folder))
            print(f"{module.name:75} {outcome.counts}")


if __name__ == "__main__":
    main()
