"""No document lies: what is generated is not stale, what is linked or named is there."""

import re
from pathlib import Path

import pytest

from services.__main__ import load
from shared import catalogue
from tests.contracts.documents import README, ROOT, renewed

MARKDOWN = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
ENDINGS = r"(?:py|md|toml|yml|json|js|sh|mjml|txt)"
PATHS = re.compile(rf"`([\w.*-]+(?:/[\w.*-]+)*(?:/|\.{ENDINGS}|/Caddyfile)|\.[a-z][\w./-]+)`")
BARE = {"service.py", "desk.py", "routes.py", "tables.py", ".mjml", ".txt"}  # one in each service, or an ending
ADR_PARTS = ("**Context.**", "**Options.**", "**Decision.**", "**Consequence.**", "**Revisit when.**")


def _name(page: Path) -> str:
    return page.name


def test_the_catalogue_is_what_the_facts_are() -> None:
    documents = catalogue.event_documents()
    assert [path for path, text in documents.items() if path.read_text() != text] == []
    assert set((ROOT / "docs" / "events").iterdir()) == set(documents), "a document of a fact that was dropped"


def test_the_topology_page_is_what_the_services_are() -> None:
    assert (ROOT / "docs" / "topology.md").read_text() == catalogue.topology(load([]))


def test_the_readme_lists_the_settings_as_they_are() -> None:
    text = README.read_text()
    assert "| `QUERENCIA_DATABASE_URL` |" in text
    assert renewed(text) == text, "run `python -m tests.contracts.documents`"


@pytest.mark.parametrize("page", MARKDOWN, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    broken = [target for target in targets if not _leads_somewhere(page, target)]
    assert broken == []


def _leads_somewhere(page: Path, target: str) -> bool:
    if re.match(r"(https?|mailto):", target):
        return True
    path, _, anchor = target.partition("#")
    aim = (page.parent / path) if path else page
    return aim.exists() and (not anchor or anchor in _anchors(aim))


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", *ADRS], ids=_name)
def test_every_path_named_is_there(page: Path) -> None:
    named = {path for path in PATHS.findall(page.read_text()) if path not in BARE}
    assert sorted(path for path in named if not any(ROOT.glob(path.rstrip("/")))) == []


def test_contributing_names_its_paths_so_that_they_are_checked() -> None:
    named = set(PATHS.findall((ROOT / "CONTRIBUTING.md").read_text()))
    assert {"services/loyalty/earning.py", "shared/events/", ".importlinter", "deploy/gateway/Caddyfile"} <= named


@pytest.mark.parametrize("page", ADRS, ids=_name)
def test_a_decision_says_what_it_cost_and_when_to_look_again(page: Path) -> None:
    text = page.read_text()
    places = [text.find(part) for part in ADR_PARTS]
    assert -1 not in places
    assert places == sorted(places)
    assert f"({page.name})" in (ROOT / "docs" / "adr" / "README.md").read_text()


def test_the_makefile_knows_the_verbs_that_documents_name() -> None:
    verbs = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = [_code(page.read_text()) for page in MARKDOWN]
    named = {verb for text in code for verb in re.findall(r"\bmake ([a-z]+)", text)}
    assert named - verbs == set()


def _code(text: str) -> str:
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))


def test_the_commands_that_documents_name_exist() -> None:
    usage = (ROOT / "services" / "__main__.py").read_text()
    named = {verb for page in MARKDOWN for verb in re.findall(r"-m services ([a-z]+)", page.read_text())}
    assert {verb for verb in named if f'"{verb}"' not in usage} == set()


def test_the_licence_is_the_one_the_package_names() -> None:
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License\n")
