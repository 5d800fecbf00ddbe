"""Each table is written by one module; where a second one writes, it is named here with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERBS = {"insert_many", "insert_new", "insert_alike", "upsert_many", "update_many", "delete_by_keys"}
STATEMENTS = {"insert", "update", "delete"}

SEVERAL = {
    ("ingest", "delivery"): {"accept", "intake", "desk", "reprocessing"},  # accepted, settled, erased, put back
    ("ingest", "source"): {"access", "setting_up", "desk"},  # made, switched by its owner, or uninstalled by its shop
    ("loyalty", "program"): {"versions", "desk"},  # an account's own versions, and the first that a rating writes
    ("notifications", "mailbox"): {"loading", "desk"},  # a row to lock on, and what is known of it
    ("notifications", "shred"): {"desk", "outgoing"},  # ordered with an erasure, done when the files are gone
    ("scoring", "refit"): {"desk", "refits"},  # asked for by a timer, done by the worker
}


def _modules() -> Iterator[tuple[str, str, ast.Module]]:
    """(service, module, tree) of every module of every service, migrations aside."""
    for path in sorted((ROOT / "services").glob("*/**/*.py")):
        service = path.relative_to(ROOT / "services").parts[0]
        if "migrations" not in path.parts:
            yield service, path.stem, ast.parse(path.read_text())


def _names(tree: ast.Module) -> dict[str, str]:
    """What a module's own names stand for, where they are tables: `_lot = tables.lot`."""
    given = [node for node in tree.body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.unparse(node.value).rsplit(".", 1)[-1] for node in given}


def _written(tree: ast.Module) -> Iterator[str]:
    names = _names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _writes(node.func):
            said = ast.unparse(node.args[0])
            yield names.get(said, said).rsplit(".", 1)[-1]


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
