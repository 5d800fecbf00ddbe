"""Writes the settings table of README.md anew from the settings in the code."""

import re
from collections.abc import Sequence
from datetime import time
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

from services.ingest.settings import IngestSettings
from services.notifications.settings import MessageSettings
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
SETTINGS: Sequence[type[BaseSettings]] = (Settings, IngestSettings, MessageSettings)
_BLOCK = re.compile(r"(<!-- settings: [^\n]* -->\n).*?(<!-- /settings -->)", re.DOTALL)


def settings_table() -> str:
    """Every setting with its default and what it means."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for settings in SETTINGS:
        prefix = settings.model_config.get("env_prefix", "")
        for name, field in settings.model_fields.items():
            lines.append(f"| `{prefix}{name.upper()}` | {_shown(field.default)} | {field.description} |")
    return "\n".join(lines) + "\n"


def _shown(default: Any) -> str:
    text = f"{default:%H:%M}" if isinstance(default, time) else str(default)
    return f"`{text}`" if text else ""


def renewed(text: str) -> str:
    """The README with the settings as they are now."""
    return _BLOCK.sub(lambda block: f"{block[1]}{settings_table()}{block[2]}", text)


if __name__ == "__main__":
    README.write_text(renewed(README.read_text()))
