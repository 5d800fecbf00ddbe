"""Addresses, zones, languages and links: what is kept, what is fallen back on, what is dropped."""

import pytest

from services.notifications.audience import (
    address_hash,
    canonical_address,
    canonical_zone,
    format_locale,
    language_of,
    safe_link,
    zone_of,
)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("A@x.com", "a@x.com"),
        (" a@X.com ", "a@x.com"),
        ("ä@bücher.de", "ä@xn--bcher-kva.de"),
        ("a+tag@x.com", "a+tag@x.com"),
        ("Ana, b@x.com", ""),
        ("a@x.com\r\nBcc: b@x.com", ""),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_an_address_has_one_spelling(raw: str, canonical: str) -> None:
    assert canonical_address(raw) == canonical


def test_the_hash_of_an_address_needs_the_key() -> None:
    assert address_hash(b"one", "a@x.com") != address_hash(b"two", "a@x.com")
    assert address_hash(b"one", "") == ""


def test_an_old_zone_name_is_known_by_its_new_one() -> None:
    assert canonical_zone("Europe/Kiev") == "Europe/Kyiv"
    assert canonical_zone("Mars/Olympus") == canonical_zone("") == ""


@pytest.mark.parametrize(
    ("zone", "phone", "country", "expected"),
    [
        ("Asia/Tokyo", "+34600111222", "BR", "Asia/Tokyo"),
        ("nowhere", "+12125551234", "", "America/New_York"),
        ("", "+34600111222", "", "Europe/Madrid"),
        ("", "not a number", "br", "America/Sao_Paulo"),
        ("", "+1 555 0100", "", "Europe/Lisbon"),
        ("", "+999", "", "Europe/Lisbon"),
        ("", "", "XX", "Europe/Lisbon"),
    ],
)
def test_zone_falls_back_from_person_to_phone_to_country_to_shop(
    zone: str, phone: str, country: str, expected: str
) -> None:
    assert zone_of(zone, phone, country, "Europe/Lisbon") == expected


def test_a_shop_in_no_zone_lives_by_utc() -> None:
    assert zone_of("", "", "", "") == "Etc/UTC"


@pytest.mark.parametrize(
    ("person", "shop", "language", "locale"),
    [
        ("pt-AO", "es-ES", "pt", "pt_AO"),
        ("es-419", "en-US", "es", "es_419"),
        ("", "pt-BR", "pt", "pt_BR"),
        ("ja", "es-MX", "es", "es_MX"),
        ("ja", "de-DE", "en", "en"),
        ("es-not-a-locale-at-all", "en", "es", "es"),
    ],
)
def test_language_falls_back_from_person_to_shop_to_english(person: str, shop: str, language: str, locale: str) -> None:
    assert (language_of(person, shop), format_locale(person, shop)) == (language, locale)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "http://10.0.0.1/a.png",
        "http://[::1]/",
        "http://localhost/",
        "http://db.internal/",
        "//x.com",
        "https://a b.com",
        'https://x.com/"onload=',
        "http://[bad/",
        "https://x.com/" + "a" * 3000,
        "",
    ],
)
def test_a_link_that_is_no_public_web_address_is_dropped(url: str) -> None:
    assert safe_link(url) == ""


def test_a_public_link_is_kept_as_it_is() -> None:
    assert safe_link("https://shop.example/c?a=1&b=2") == "https://shop.example/c?a=1&b=2"
