"""Templates: every mail in every language, values escaped, holes refused, nothing loaded from outside."""

import re
from typing import Any

import pytest

from services.notifications.audience import LANGUAGES
from services.notifications.journeys import JOURNEYS
from services.notifications.render import RenderError, compiled, render, sentences, to_html

TEMPLATES = [step.message.template for journey in JOURNEYS for step in journey.steps]
EVIL = ["<script>alert(1)</script>", "{{ 7*7 }}", "</mj-text>", "x" * 10_000, "مرحبا", "🎁", "{% raw %}"]


def values(**fields: Any) -> dict[str, Any]:
    known = {
        "shop": {"name": "Casa", "address": "Calle Mayor 1, Madrid"},
        "first_name": "Ana",
        "lines": [{"title": "Mug", "quantity": 2, "price": "12,50 €", "url": "https://s.example/m", "image": ""}],
        "total": "25,00 €",
        "link": "https://shop.example/cart",
        "number": "#1001",
        "date": "10 de marzo",
        "points": "25",
        "balance": "125",
        "expires": "31 de marzo",
        "tier": "Oro",
        "friend": "Bea",
        "unsubscribe_url": "https://q.example/u/tok",
        "preferences_url": "https://q.example/p/tok",
    }
    return {**known, **fields}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_mail_in_every_language_says_what_it_must(template: str, language: str) -> None:
    mail = render(template, language, values())
    for part in (mail.html, mail.text):
        assert "Calle Mayor 1" in part
        assert "https://q.example/p/tok" in part
        assert "https://shop.example/cart" in part
        assert "Ana" in part
        assert ("https://q.example/u/tok" in part) is (template != "thank_you")
        assert "{{" not in part
        assert "[[" not in part
    assert mail.subject
    assert f'lang="{language}"' in mail.html
    assert "@media only screen" in mail.html


@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_is_loaded_from_outside(template: str) -> None:
    html = render(template, "en", values()).html
    assert set(re.findall(r"https?://([\w.]+)", html)) <= {"shop.example", "q.example", "s.example", "www.w3.org"}


def test_the_languages_say_the_same_things() -> None:
    for template in TEMPLATES:
        assert len({tuple(sorted(sentences(template, language))) for language in LANGUAGES}) == 1
        assert len({render(template, language, values()).subject for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize("evil", EVIL)
def test_values_are_escaped_and_not_evaluated(evil: str) -> None:
    line = {"title": evil, "quantity": 1, "price": "1", "url": "", "image": ""}
    mail = render("cart_reminder", "es", values(first_name=evil, lines=[line]))
    assert "<script>" not in mail.html
    assert ">49<" not in mail.html
    assert "</mj-text>" not in mail.html
    assert evil in mail.text
    assert mail.html.rstrip().endswith("</html>")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_missing_variable_stops_the_mail_and_is_named(template: str) -> None:
    filled = values()
    del filled["first_name"]
    with pytest.raises(RenderError, match="first_name"):
        render(template, "en", filled)


def test_thanks_without_points_have_no_points_line() -> None:
    assert "25 points" in render("thank_you", "en", values()).text
    without = render("thank_you", "en", values(points=""))
    assert "points" not in without.text
    assert "points" not in without.html


def test_a_subject_is_one_line() -> None:
    shop = {"name": "Casa\r\nBcc: all@x.com", "address": ""}
    assert "\n" not in render("cart_reminder", "en", values(shop=shop)).subject


@pytest.mark.parametrize(
    "mjml", ["<mjml><mj-body><mj-hero></mj-hero></mj-body></mjml>", "<mjml><mj-body><mj-section></mj-body></mjml>"]
)
def test_an_unknown_tag_or_broken_markup_is_not_published(mjml: str) -> None:
    with pytest.raises(RenderError):
        to_html(mjml)


def test_a_template_is_compiled_once() -> None:
    assert compiled("cart_help", "pt") is compiled("cart_help", "pt")
