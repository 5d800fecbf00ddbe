"""`python -m tests.mutants [word…]`: takes each guard away in a copy of the tree and sees its test go red."""

import sys

from tests.mutants.guards import MUTANTS
from tests.mutants.trial import survives


def main(words: list[str]) -> int:
    """Try the mutants whose guard names a word (all without words); gives 1 when one survived."""
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.guard for word in words)]
    alive = 0
    for mutant in chosen:
        why = survives(mutant)
        alive += bool(why)
        _say(f"SURVIVED  {mutant.guard}\n{why}" if why else f"killed    {mutant.guard}")
    _say(f"{len(chosen) - alive} of {len(chosen)} mutants killed")
    return 1 if alive else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
