"""Installations under fault tests, in both modes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.faults.house", "tests.faults.trade")

from tests.contracts.conftest import MODES, mode  # noqa: E402 - rewritten asserts come first
from tests.faults.house import House  # noqa: E402

__all__ = ["MODES", "mode"]


@pytest.fixture
def house(mode: dict[str, Any], tmp_path: Path) -> Iterator[House]:
    """A running installation with one account."""
    made = House(tmp_path, mode)
    try:
        made.build()
        yield made
    finally:
        made.pull_down()
