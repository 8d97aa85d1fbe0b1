"""Explores far more than the tests do, which takes a while: `python -m tests.model`."""

import argparse
import sys
import time

from tests.model.explorer import Counterexample, explore
from tests.model.histories import CHANGES, histories, history
from tests.model.world import Scenario


def main() -> int:
    """Explore every history of up to so many changes; return 1 at the first counterexample."""
    parser = argparse.ArgumentParser(prog="python -m tests.model")
    parser.add_argument("--changes", type=int, default=4, help="of a history, at most (4)")
    parser.add_argument("--readers", type=int, default=2, help="at once (2)")
    parser.add_argument("--unasked", type=int, default=1, help="reads without a mark (1)")
    parser.add_argument("--lossy", action="store_true", help="the last notification is lost")
    parser.add_argument("--lag", action="store_true", help="replicas lag, up to a minute")
    options = parser.parse_args()
    # Nothing tells an older state from a newer one when `updatedAt` goes back and replicas lag.
    letters = "".join(CHANGES).replace("v" if options.lag else "", "")
    for changes in range(options.changes + 1):
        begun, states, words = time.monotonic(), 0, histories(changes, letters)
        for word in words:
            scenario = Scenario(
                history(word), options.readers, options.unasked, options.lossy, options.lag
            )
            result = explore(scenario)
            if isinstance(result, Counterexample):
                sys.stdout.write(f"{word}: {result.what}\n")
                sys.stdout.writelines(f"  {step}\n" for _, step in result.run.steps)
                return 1
            states += len(result.ways)
        took = time.monotonic() - begun
        sys.stdout.write(
            f"{changes} changes: {len(words)} histories, {states:,} states, "
            f"no counterexample, {took:.1f} s\n"
        )
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
