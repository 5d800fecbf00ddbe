"""The API: who may see what, pages that stay right, and what bad input gets."""

from typing import Any

from tests.notifications.office import Office
from tests.notifications.some import ANA, after, consent, filled, paid


async def test_lists_come_in_pages_that_miss_and_repeat_nothing(village_office: Office) -> None:
    await village_office.tell(*(paid(f"ord_{number}") for number in range(3)))
    await village_office.tell(*(filled(f"cart_{number}", at=after(minutes=1)) for number in range(3)))
    await village_office.passes(hours=3)
    for path, size in (("messages", 4), ("decisions", 2)):
        seen: list[str] = []
        cursor = ""
        while True:
            found = await village_office.get(f"/v1/{path}?customer={ANA}&limit=1&cursor={cursor}")
            seen += [row["id"] for row in found["data"]]
            if not found["has_more"]:
                break
            cursor = found["next_cursor"]
        assert len(seen) == len(set(seen)) == size


async def test_a_contact_shows_the_newest_consent(village_office: Office) -> None:
    contact = await village_office.get(f"/v1/contacts/{ANA}")
    assert (contact["email"], contact["language"], contact["zone"]) == ("ana@example.com", "es", "Europe/Madrid")
    assert [(word["channel"], word["purpose"], word["granted"]) for word in contact["consents"]] == [
        ("email", "marketing", True)
    ]


async def test_the_consent_ledger_can_be_followed_link_by_link(village_office: Office) -> None:
    await village_office.tell(consent(granted=False, at=after(minutes=1)), consent(at=after(minutes=2)))
    lines: list[dict[str, Any]] = []
    cursor = ""
    while True:
        found = await village_office.get(f"/v1/contacts/{ANA}/consents?limit=2&cursor={cursor}")
        lines += found["data"]
        if not found["has_more"]:
            break
        cursor = found["next_cursor"]
    assert [(line["granted"], line["source"]) for line in lines] == [(yes, "checkout") for yes in (True, False, True)]
    assert lines[0]["previous"] == ""
    assert [line["previous"] for line in lines[1:]] == [line["digest"] for line in lines[:2]]


async def test_journeys_tell_their_steps_and_since_when_they_listen(village_office: Office) -> None:
    journeys = (await village_office.get("/v1/journeys"))["data"]
    cart = next(journey for journey in journeys if journey["name"] == "abandoned_cart")
    assert [step["seconds"] for step in cart["steps"]] == [7200, 86_400, 259_200]
    assert cart["since"] == "1970-01-01T00:00:00Z"


async def test_bad_input_is_told_what_is_wrong(village_office: Office) -> None:
    for path, status in (
        ("/v1/contacts/cus_nobody", 404),
        ("/v1/contacts/ana", 404),
        ("/v1/messages?customer=nobody", 404),
        ("/v1/messages?state=lost", 400),
        ("/v1/messages?limit=0", 400),
        ("/v1/messages?cursor=%00", 400),
        ("/v1/suppressions?cursor=abc", 400),
    ):
        answer = await village_office.world.get(path, headers=village_office.headers)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"
    for path in ("/v1/messages", "/v1/decisions", "/v1/suppressions", "/v1/journeys", f"/v1/contacts/{ANA}"):
        assert (await village_office.world.get(path)).status_code == 401


async def test_every_unsafe_route_says_how_it_is_repeated(village_office: Office) -> None:
    paths = village_office.world.runtime.app.openapi()["paths"]
    unsafe = {
        (path, verb): operation.get("x-idempotency")
        for path, operations in paths.items()
        for verb, operation in operations.items()
        if verb != "get" and path.startswith(("/u/", "/p/", "/v1/messages"))
    }
    assert unsafe == {
        ("/u/{token}", "post"): "natural",
        ("/p/{token}", "post"): "natural",
        ("/v1/messages/{message}/outcome", "post"): "key",
    }
