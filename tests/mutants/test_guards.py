"""Every guard stands where the list says; taken away, its test goes red."""

from pathlib import Path

import pytest

from tests.mutants.guards import MUTANTS, Mutant
from tests.mutants.trial import survives
from tests.trees import ROOT

each = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.guard)


@each
def test_the_guard_stands_where_the_list_says(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.new != mutant.old
    assert mutant.test.rpartition("::")[2].partition("[")[0] in Path(ROOT / mutant.test.partition("::")[0]).read_text()


@pytest.mark.faults
@each
def test_without_the_guard_a_test_goes_red(mutant: Mutant) -> None:
    assert survives(mutant) == ""
