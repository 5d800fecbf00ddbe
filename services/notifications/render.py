"""Templates, compiled once and filled at send: MJML to HTML by mrml, values by a sandbox that escapes them."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import mrml
import msgspec
from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

TOP_TAGS = {"mjml", "mj-head", "mj-title", "mj-preview", "mj-attributes", "mj-all", "mj-style", "mj-body"}
BODY_TAGS = {"mj-section", "mj-column", "mj-text", "mj-button", "mj-table", "mj-raw"}
KNOWN_TAGS = TOP_TAGS | BODY_TAGS
TAG = re.compile(r"<(mj[\w-]*)")
SOURCES = files("services.notifications.templates")
NO_FONTS: dict[str, str] = {}


class RenderError(Exception):
    """A template that cannot be filled, or one that must not be published; the message names what is missing."""


class Rendered(msgspec.Struct, frozen=True):
    """A filled template."""

    subject: str
    html: str
    text: str


class Compiled(msgspec.Struct, frozen=True):
    """A template in one language, ready to be filled."""

    subject: Template
    html: Template
    text: Template


def _source(name: str) -> str:
    return SOURCES.joinpath(name).read_text(encoding="utf-8")


# The first pass puts a language's sentences between [[ ]] into our own files; {{ }} is left for the values.
_publishing = Environment(  # noqa: S701 - our own sentences, which carry the markup of the second pass
    loader=FunctionLoader(_source),
    undefined=StrictUndefined,
    variable_start_string="[[",
    variable_end_string="]]",
    block_start_string="[%",
    block_end_string="%]",
    comment_start_string="[#",
    comment_end_string="#]",
    keep_trailing_newline=True,
)
_html = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
_text = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)


def sentences(template: str, language: str) -> Mapping[str, str]:
    """The sentences of a template in a language, those that all templates share included."""
    texts = tomllib.loads(_source(f"texts/{language}.toml"))
    shared = {key: value for key, value in texts.items() if isinstance(value, str)}
    return {"language": language, **shared, **texts[template]}


def to_html(mjml: str) -> str:
    """MJML as HTML that loads nothing from outside; raises RenderError for a tag that would be dropped in silence."""
    unknown = set(TAG.findall(mjml)) - KNOWN_TAGS
    if unknown:
        raise RenderError(f"unknown tags {sorted(unknown)}")
    try:
        output = mrml.to_html(mjml, None, mrml.RenderOptions(disable_comments=False, fonts=NO_FONTS))
    except OSError as fault:
        raise RenderError(f"bad MJML: {fault}") from fault
    return str(output.content)


@cache
def compiled(template: str, language: str) -> Compiled:
    """A template in one language; compiled at its first use and kept."""
    words = sentences(template, language)
    mjml = _publishing.get_template(f"{template}.mjml").render(words)
    text = _publishing.get_template(f"{template}.txt").render(words)
    return Compiled(_text.from_string(words["subject"]), _html.from_string(to_html(mjml)), _text.from_string(text))


@cache
def _page(name: str, language: str) -> Template:
    return _html.from_string(_publishing.get_template(f"{name}.html").render(sentences(name, language)))


def page(name: str, language: str, values: Mapping[str, Any]) -> str:
    """One of our own web pages, filled."""
    return _page(name, language).render(values)


def render(template: str, language: str, values: Mapping[str, Any]) -> Rendered:
    """Fill a template; raises RenderError naming a missing variable rather than leave a hole."""
    form = compiled(template, language)
    try:
        subject = " ".join(form.subject.render(values).split())
        return Rendered(subject, form.html.render(values), form.text.render(values))
    except TemplateError as fault:
        raise RenderError(str(fault)) from fault
