"""Made-up calls of every route of every service: never a 5xx, and every answer is what OpenAPI says it is."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import APIOperation, Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contracts.described import closed
from tests.faults.house import House
from tests.faults.inside import Inside

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
REPLAYED = "SCHEMAS_SEED"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """All services in one process."""
    made = House(tmp_path, {"address_requests": "0", "source_events": "0"})
    try:
        made.build()
        yield made
    finally:
        made.pull_down()


@pytest.mark.parametrize("examples", [2, pytest.param(60, marks=pytest.mark.faults)])
def test_no_made_up_call_is_answered_otherwise_than_described(house: House, examples: int) -> None:
    begun = int(os.environ.get(REPLAYED, "1"))
    address = house.address("ingest")
    said = httpx.get(f"{address}/openapi.json", timeout=30).json()
    described = schemathesis.openapi.from_dict(closed(said))
    described.config.update(base_url=address)
    operations = [found.ok() for found in described.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 80
    answered = Counter[int]()
    faults = [_why(house, operation, examples, begun, answered) for operation in operations]
    assert "\n".join(filter(None, faults)) == "", f"{REPLAYED}={begun}"
    assert {200, 400, 404} <= set(answered), answered
    with closing(Inside(house)) as inside:
        inside.rests()
    house.verify()


def _why(
    house: House, operation: APIOperation[Any, Any, Any, Any], examples: int, begun: int, answered: Counter[int]
) -> str:
    """What an operation does that it should not, '' for nothing."""

    @seed(begun)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy())
    def example(case: Case[Any]) -> None:
        headers = {"authorization": f"Bearer {house.keys['server_key']}"}
        answered[case.call_and_validate(headers=headers, checks=CHECKS).status_code] += 1

    try:
        example()
    except (Exception, FailureGroup) as failure:  # noqa: BLE001 - all operations are tried, and all faults told
        return f"{operation.label}: {str(failure)[:500]}"
    return ""
