"""Installations under fault tests, in both modes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.faults.house", "tests.faults.drama", "tests.faults.load")

from tests.faults.house import House  # noqa: E402
from tests.faults.mailbox import Mailbox  # noqa: E402
from tests.real.smtp import SmtpServer  # noqa: E402


@pytest.fixture
def mailbox(mode: dict[str, Any], tmp_path: Path, smtp_server: SmtpServer) -> Mailbox:
    """A maildir in the embedded mode, an SMTP server in the distributed one."""
    return Mailbox(tmp_path, smtp_server if mode else None)


@pytest.fixture
def house(mode: dict[str, Any], tmp_path: Path, mailbox: Mailbox) -> Iterator[House]:
    """An installation that is not built yet."""
    by_smtp = {} if mailbox.server is None else {"smtp_url": f"smtp://127.0.0.1:{mailbox.server.port}"}
    made = House(tmp_path, {**mode, **by_smtp})
    try:
        yield made
    finally:
        made.pull_down()
