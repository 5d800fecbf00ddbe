"""A valid call of every route that changes something, by its method and path in OpenAPI; each one made anew."""

from collections.abc import Awaitable, Callable
from datetime import date
from itertools import count, cycle
from typing import Any

from services.notifications.tokens import ONE_CLICK, PREFERENCES
from tests.contracts.clerk import DECISION, GIFT, HOME, HOOK, REWARD, STORE, Call, Clerk

Made = Callable[[Clerk], Awaitable[Call]]


def _plain(make: Callable[[Clerk], Call]) -> Made:
    async def made(clerk: Clerk) -> Call:
        return make(clerk)

    return made


def _about(verb: str, path: str, thing: Callable[[Clerk], Awaitable[str]], body: Any = None) -> Made:
    """A call whose path names something that was just made."""

    async def made(clerk: Clerk) -> Call:
        return clerk.call(verb, path.format(await thing(clerk)), body)

    return made


def _segment(kind: str) -> Made:
    return _plain(lambda clerk: clerk.segment(kind))


def _plainly(path: str, body: Any) -> Made:
    return _plain(lambda clerk: clerk.call("POST", path, body))


_DAYS, _CURRENCIES = count(730_000), cycle(("USD", "CHF", "JPY"))


async def _rates(clerk: Clerk) -> Call:
    return clerk.call(
        "PUT", f"/v1/exchange-rates/{date.fromordinal(next(_DAYS))}", {"base": "EUR", "rates": {"USD": 2}}
    )


async def _more_rates(clerk: Clerk) -> Call:
    await clerk.sends(await _rates(clerk), "before")
    return await _rates(clerk)


async def _reports_in_another(clerk: Clerk) -> Call:
    await clerk.sends(await _rates(clerk), "before")
    return clerk.call("PUT", "/v1/reporting-currency", {"currency": next(_CURRENCIES)})


SEGMENT = ("track", "identify", "page", "screen", "group", "alias", "batch")
CALLS: dict[tuple[str, str], Made] = {
    **{("post", f"/v1/{kind}"): _segment(kind) for kind in SEGMENT},
    ("post", "/v1/events"): _plain(Clerk.event),
    ("post", "/webhooks/{platform}/{source}"): _plain(Clerk.webhook),
    ("post", "/v1/accounts"): _plain(Clerk.account),
    ("post", "/v1/stores"): _plainly("/v1/stores", STORE),
    ("put", "/v1/stores/{store}"): _plain(
        lambda clerk: clerk.call("PUT", f"/v1/stores/{clerk.shop.made.store}", STORE)
    ),
    ("post", "/v1/sources"): _plain(lambda clerk: clerk.call("POST", "/v1/sources", clerk.a_source)),
    ("delete", "/v1/sources/{source}"): _about("DELETE", "/v1/sources/{}", Clerk.source),
    ("post", "/v1/sources/{source}/secrets"): _about("POST", "/v1/sources/{}/secrets", Clerk.source, {"secret": "n"}),
    ("delete", "/v1/sources/{source}/secrets/{secret}"): _about("DELETE", "{}", Clerk.secret),
    ("post", "/v1/keys"): _plainly("/v1/keys", {"kind": "server"}),
    ("delete", "/v1/keys/{key}"): _about("DELETE", "/v1/keys/{}", Clerk.key),
    ("post", "/v1/deliveries/reprocess"): Clerk.reprocesses_all,
    ("post", "/v1/deliveries/{delivery}/reprocess"): Clerk.reprocesses,
    ("post", "/v1/customers/{customer}/erase"): _about("POST", "/v1/customers/{}/erase", Clerk.somebody),
    ("post", "/v1/customers/{customer}/merge"): Clerk.merges,
    ("post", "/v1/customers/{customer}/split"): Clerk.splits,
    ("post", "/v1/customer-tokens"): lambda clerk: clerk.posts("/v1/customer-tokens"),
    ("put", "/v1/programs/{program}"): Clerk.puts_programme,
    ("post", "/v1/programs/{program}/diff"): lambda clerk: clerk.puts_programme("POST", "/diff"),
    ("post", "/v1/programs/{program}/impact"): lambda clerk: clerk.puts_programme("POST", "/impact"),
    ("post", "/v1/evaluations"): Clerk.evaluates,
    ("post", "/v1/redemptions"): lambda clerk: clerk.posts("/v1/redemptions", points=10),
    ("post", "/v1/redemptions/{redemption}/reverse"): _about("POST", "/v1/redemptions/{}/reverse", Clerk.redemption),
    ("post", "/v1/holds"): lambda clerk: clerk.posts("/v1/holds", points=10),
    ("post", "/v1/holds/{hold}/capture"): _about("POST", "/v1/holds/{}/capture", Clerk.hold),
    ("post", "/v1/holds/{hold}/release"): _about("POST", "/v1/holds/{}/release", Clerk.hold),
    ("post", "/v1/transactions"): lambda clerk: clerk.posts("/v1/transactions", **GIFT),
    ("post", "/v1/transfers"): Clerk.transfers,
    ("post", "/v1/imports/balances"): Clerk.import_of_balances,
    ("post", "/v1/rewards"): _plainly("/v1/rewards", REWARD),
    ("put", "/v1/rewards/{reward}"): _about("PUT", "/v1/rewards/{}", Clerk.reward, {**REWARD, "price": 20}),
    ("post", "/v1/rewards/{reward}/stock"): _about(
        "POST", "/v1/rewards/{}/stock", lambda clerk: clerk.reward(stock=5), {"change": 2}
    ),
    ("post", "/v1/rewards/{reward}/codes"): Clerk.fills_pool,
    ("post", "/v1/rewards/{reward}/claims"): Clerk.claims,
    ("post", "/v1/webhooks"): _plainly("/v1/webhooks", HOOK),
    ("delete", "/v1/webhooks/{webhook}"): _about("DELETE", "/v1/webhooks/{}", Clerk.hook),
    ("post", "/v1/webhooks/{webhook}/calls/{call}/retry"): _about("POST", "{}/retry", Clerk.call_of_hook),
    ("post", "/v1/vouchers/check"): Clerk.checks,
    ("post", "/v1/vouchers/{code}/use"): _about("POST", "/v1/vouchers/{}/use", Clerk.voucher),
    ("post", "/v1/vouchers/{code}/return"): _about("POST", "/v1/vouchers/{}/return", Clerk.voucher),
    ("post", "/v1/members/{customer}/referral-code"): _about("POST", "/v1/members/{}/referral-code", Clerk.somebody),
    ("post", "/v1/members/{customer}/prints"): _about("POST", "/v1/members/{}/prints", Clerk.somebody, HOME),
    ("post", "/v1/members/{customer}/invitations"): Clerk.invites,
    ("post", "/v1/referrals"): Clerk.befriends,
    ("post", "/v1/referrals/{referral}/approve"): _about("POST", "/v1/referrals/{}/approve", Clerk.referral, DECISION),
    ("post", "/v1/referrals/{referral}/decline"): _about("POST", "/v1/referrals/{}/decline", Clerk.referral, DECISION),
    ("put", "/v1/exchange-rates/{day}"): _more_rates,
    ("put", "/v1/reporting-currency"): _reports_in_another,
    ("post", "/v1/messages/{message}/outcome"): _plain(Clerk.settles_mail),
    ("post", "/u/{token}"): _about("POST", "/u/{}", lambda clerk: clerk.link(ONE_CLICK)),
    ("post", "/p/{token}"): _about("POST", "/p/{}", lambda clerk: clerk.link(PREFERENCES)),
}
