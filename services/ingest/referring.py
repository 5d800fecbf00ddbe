"""By whose referral code a visitor came: a code that an event names, or one in the address of a page."""

from urllib.parse import parse_qs, urlsplit

from services.ingest.claims import BrowseClaim

CLICKED = frozenset({"referral clicked", "referral_clicked"})
SIGNED_UP = frozenset({"signed up", "signed_up", "account created"})
NAMES = ("referral_code", "code", "ref")
PARAMETERS = ("ref", "referral_code")
MOST = 40


def code_in(claim: BrowseClaim) -> tuple[str, bool]:
    """The code by which somebody came ('' for none), and whether it was given at a sign-up rather than clicked."""
    word = claim.name.strip().casefold()
    signs_up = word in SIGNED_UP
    if signs_up or word in CLICKED:
        named = [claim.properties.get(name) for name in (NAMES[:1] if signs_up else NAMES)]
        code = next((str(value).strip() for value in named if value), "")
        if code:
            return code[:MOST], signs_up
    addresses = (claim.url, claim.properties.get("url"), claim.properties.get("search"))
    return next((code for code in map(_in_address, addresses) if code), ""), False


def _in_address(address: object) -> str:
    """The code in the query of a URL, or in a bare query."""
    if not isinstance(address, str) or "=" not in address:
        return ""
    try:
        query = parse_qs(urlsplit(address).query or address.lstrip("?"))
    except ValueError:
        return ""
    return next((query[name][0].strip()[:MOST] for name in PARAMETERS if name in query), "")
