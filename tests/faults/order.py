"""Whether the bus carries every customer's facts in the order in which they came to be."""

import json
from collections import defaultdict

from tests.faults.inside import Inside


def told_in_order(inside: Inside) -> None:
    """Every customer's facts stand on the bus as they were recorded, every order's revisions one after the other."""
    recorded, revisions = defaultdict(list), defaultdict(list)
    for record in inside.told("ingest"):
        recorded[record.key].append(record.headers["ce_recordedtime"])
        if record.headers["ce_type"].startswith("order."):
            order = json.loads(record.body)["order"]
            revisions[order["id"]].append(order["revision"])
    assert len(revisions) > 10
    assert all(times == sorted(times) for times in recorded.values())
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in revisions.values())
