"""Who is written to, where, in which language and by which clock; pure."""

import hmac
import ipaddress
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import phonenumbers
from babel import Locale, UnknownLocaleError
from email_validator import EmailNotValidError, validate_email
from phonenumbers import timezone as phone_zones

LANGUAGES = ("en", "es", "pt")
LAST_RESORT = "en"
UTC_ZONE = "Etc/UTC"
MOST_PEOPLE = {
    "AR": "America/Argentina/Buenos_Aires",
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CD": "Africa/Kinshasa",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "ID": "Asia/Jakarta",
    "KZ": "Asia/Almaty",
    "MN": "Asia/Ulaanbaatar",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PG": "Pacific/Port_Moresby",
    "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "US": "America/New_York",
    "UZ": "Asia/Tashkent",
}


@lru_cache(maxsize=8192)
def canonical_address(raw: str) -> str:
    """The address in one spelling: lower case, domain in punycode, tags kept; '' if it is none."""
    try:
        parts = validate_email(raw.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return ""
    domain = parts.ascii_domain or parts.domain
    return f"{parts.local_part}@{domain}".lower()


def address_hash(key: bytes, address: str) -> str:
    """Keyed hash of a canonical address, which outlives its erasure; '' for none."""
    return hmac.digest(key, address.encode(), "sha256").hex() if address else ""


@cache
def _aliases() -> Mapping[str, str]:
    lines = files("tzdata").joinpath("zoneinfo/tzdata.zi").read_text().splitlines()
    links = [line.split() for line in lines if line.startswith("L ")]
    return {alias: target for _, target, alias in links}


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def canonical_zone(name: str) -> str:
    """The IANA zone under its present name (`Europe/Kiev` is `Europe/Kyiv`); '' if there is no such zone."""
    if name not in _known_zones() or name in {"localtime", "Factory"}:
        return ""
    return _aliases().get(name, name)


@cache
def _country_zones() -> Mapping[str, str]:
    table = files("tzdata").joinpath("zoneinfo/zone.tab").read_text().splitlines()
    zones: dict[str, str] = {}
    for line in table:
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones.setdefault(country, zone)
    return zones | MOST_PEOPLE


@lru_cache(maxsize=8192)
def _phone_home(phone: str) -> tuple[str, str]:
    """Zone (where the number lies in just one) and country of a phone number."""
    try:
        number = phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return "", ""
    if not phonenumbers.is_valid_number(number):
        return "", ""
    zones = phone_zones.time_zones_for_number(number)
    return canonical_zone(zones[0]) if len(zones) == 1 else "", phonenumbers.region_code_for_number(number) or ""


def zone_of(zone: str, phone: str, country: str, shop: str) -> str:
    """The recipient's zone: their own, else their phone number's, else their country's largest, else the shop's."""
    phone_zone, phone_country = _phone_home(phone) if phone else ("", "")
    candidates = (
        canonical_zone(zone),
        phone_zone,
        _country_zones().get(country.upper() or phone_country, ""),
        canonical_zone(shop),
    )
    return next((candidate for candidate in candidates if candidate), UTC_ZONE)


@lru_cache(maxsize=1024)
def _spoken(tag: str) -> str:
    language = tag.replace("_", "-").split("-")[0].lower()
    return language if language in LANGUAGES else ""


def language_of(person: str, shop: str) -> str:
    """The language of the text: the person's (`pt-AO` is `pt`), else the shop's, else English."""
    return _spoken(person) or _spoken(shop) or LAST_RESORT


@lru_cache(maxsize=1024)
def format_locale(person: str, shop: str) -> str:
    """The locale for money and dates: the tag whose language the text has, or that language alone."""
    tag = next((tag for tag in (person, shop) if _spoken(tag)), "")
    language = language_of(person, shop)
    try:
        return str(Locale.parse(tag, sep="-" if "-" in tag else "_"))
    except (ValueError, UnknownLocaleError):
        return language


def safe_link(url: str) -> str:
    """The address if a recipient may be sent there: http or https to a public host; else ''."""
    if len(url) > 2048 or any(ord(char) < 33 or char in '"<>\\' for char in url):
        return ""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and host and not _private(host) else ""


def _private(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host
