"""Copies of the source tree with some lines changed: a guard taken away, another version of the program."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def copied(target: Path, *names: str) -> Path:
    """Copy these folders and files of the tree; gives the target."""
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name)  # what is compiled already comes along
        elif source.exists():
            shutil.copy(source, target / name)
    return target


def changed(tree: Path, file: str, old: str, new: str) -> None:
    """Change one place of a file in a copy; raises ValueError unless `old` stands there once."""
    path = tree / file
    text = path.read_text()
    if text.count(old) != 1:
        raise ValueError(f"{old!r} stands {text.count(old)} times in {file}")
    path.write_text(text.replace(old, new))
