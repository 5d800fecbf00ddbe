"""Each table is written by one module; where a second one writes, it is named here with its reason."""

import ast
import gc
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERBS = {"insert_many", "insert_new", "upsert_many", "update_many", "delete_by_keys", "move_by_keys"}
STATEMENTS = {"insert", "update", "delete"}

SEVERAL = {
    ("ingest", "delivery"): {"accept", "intake", "desk", "reprocessing"},  # accepted, settled, erased, put back
    ("ingest", "source"): {"access", "setting_up", "desk"},  # made, switched by its owner, or uninstalled by its shop
    ("loyalty", "hook_call"): {"desk", "calling"},  # what is to be told, and what became of it
    ("loyalty", "program"): {"versions", "desk"},  # an account's own versions, and the first that a rating writes
    ("notifications", "mailbox"): {"loading", "desk"},  # a row to lock on, and what is known of it
    ("notifications", "shred"): {"desk", "outgoing"},  # ordered with an erasure, done when the files are gone
    ("scoring", "member"): {"desk", "rebuilding"},  # folded, or emptied to be folded anew
    ("scoring", "purchase"): {"desk", "rebuilding"},  # the same
    ("scoring", "refit"): {"desk", "refits"},  # asked for by a timer, done by the worker
}


@cache
def _modules() -> list[tuple[str, str, ast.Module]]:
    """(service, module, tree) of every module of every service, migrations aside."""
    found = []
    gc.disable()  # CPython 3.11 loses count of its depth when a collection parses in the middle of a parse
    try:
        for path in sorted((ROOT / "services").glob("*/**/*.py")):
            if "migrations" not in path.parts:
                service = path.relative_to(ROOT / "services").parts[0]
                found.append((service, path.stem, ast.parse(path.read_text())))
    finally:
        gc.enable()
    return found


def _names(tree: ast.Module) -> dict[str, str]:
    """What a module's own names stand for, where they are tables: `_lot = tables.lot`."""
    given = [node for node in tree.body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.unparse(node.value).rsplit(".", 1)[-1] for node in given}


def _written(tree: ast.Module) -> Iterator[str]:
    for _verb, table in _writings(tree):
        yield table


def _writings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(verb, table) of every write."""
    names = _names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _writes(node.func):
            said = ast.unparse(node.args[0])
            yield ast.unparse(node.func).rsplit(".", 1)[-1], names.get(said, said).rsplit(".", 1)[-1]


def _set_by(tree: ast.Module, table: str) -> set[str]:
    """The columns that updates of a table set; a `.values(…)` without names counts as `*`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(ast.Attribute(updated, "values")) if _updates(tree, updated, table):
                found |= {keyword.arg or "*" for keyword in node.keywords} | {"*" for _given in node.args}
    return found


def _updates(tree: ast.Module, said: ast.expr, table: str) -> bool:
    return ("update", table) in _writings(ast.Module([*_assigned(tree), ast.Expr(said)], []))


def _assigned(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute)]


def _writes(called: ast.expr) -> bool:
    if isinstance(called, ast.Attribute):
        return called.attr in VERBS
    return isinstance(called, ast.Name) and called.id in {*STATEMENTS, "Appending"}


def test_each_table_is_written_by_one_module() -> None:
    writers: dict[tuple[str, str], set[str]] = {}
    for service, module, tree in _modules():
        for table in _written(tree):
            writers.setdefault((service, table), set()).add(module)
    assert writers[("loyalty", "lot")] == {"desk"}
    assert {table: by for table, by in writers.items() if len(by) > 1} == SEVERAL


def test_the_ledger_is_only_ever_added_to() -> None:
    """A merge or a refund writes further transactions; an erasure takes the words written about a person, no points."""
    verbs: dict[str, set[str]] = {"journal": set(), "entry": set()}
    set_: dict[str, set[str]] = {"journal": set(), "entry": set()}
    for service, _module, tree in _modules():
        if service == "loyalty":
            for verb, table in _writings(tree):
                verbs.get(table, set()).add(verb)
            for table in set_:
                set_[table] |= _set_by(tree, table)
    assert verbs == {"journal": {"insert_many", "update"}, "entry": {"insert_many"}}
    assert set_ == {"journal": {"note"}, "entry": set()}
    assert not [
        said for said in _statements("loyalty") if re.search(r"(?i)(update|delete from) +(journal|entry)", said)
    ]


def _statements(service: str) -> Iterator[str]:
    """Every text in a service's code: SQL written by hand is among them."""
    for owner, _module, tree in _modules():
        if owner == service:
            yield from (
                node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
            )
