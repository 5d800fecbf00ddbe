"""A programme as one YAML file: written, read, and compared field by field."""

from typing import Any

import msgspec
import yaml

from services.loyalty import drafts, programmes
from services.loyalty.drafts import Draft
from services.loyalty.programmes import Programme
from shared.errors import Invalid


class Change(msgspec.Struct, frozen=True):
    """One difference between two programmes: where, and what it was and is (None: not there)."""

    path: str
    before: Any
    after: Any


def write(programme: Programme) -> str:
    """The programme as YAML; everything that can be said is said, in the order of the model."""
    return yaml.safe_dump(_plain(programme), sort_keys=False, allow_unicode=True)


def read(text: str) -> Draft:
    """A draft out of YAML; raises Invalid with a pointer to the fault."""
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid([("", str(error))]) from error
    if not isinstance(body, dict):
        raise Invalid([("", "a programme is a mapping of names to values")])
    return drafts.read({name: value for name, value in body.items() if name != "id"})


def differences(before: Programme, after: Programme) -> list[Change]:
    """What a draft would change, rules and tiers by their names; the number of the version aside."""
    old, new = _flat(_named(_plain(before)), ""), _flat(_named(_plain(after)), "")
    paths = sorted((old.keys() | new.keys()) - {"/id", "/version"})
    changed = [path for path in paths if old.get(path) != new.get(path)]
    return [Change(path, old.get(path), new.get(path)) for path in changed]


def _plain(programme: Programme) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(programmes.encode(programme))
    known = (*Programme.__struct_fields__, *plain)
    return {name: plain[name] for name in dict.fromkeys(known)}


def _named(plain: dict[str, Any]) -> dict[str, Any]:
    """Lists whose items have names become mappings, so that a new rule is one difference and not many."""
    rules = {rule["name"]: rule for rule in plain["rules"]}
    tiers = {tier["name"]: tier for tier in plain["ladder"]["tiers"]}
    return {**plain, "rules": rules, "ladder": {**plain["ladder"], "tiers": tiers}}


def _flat(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {path: value}
    return {place: leaf for name, item in value.items() for place, leaf in _flat(item, f"{path}/{name}").items()}
