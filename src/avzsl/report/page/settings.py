"""The configuration of a run as text, and the protocol as a table."""

from __future__ import annotations

from typing import Any

import yaml

from avzsl.config import PLUGIN_SECTIONS, Config
from avzsl.report.page.records import Fold, Table, text_table


def config_folds(raw: dict[str, Any], config: Config) -> tuple[Fold, ...]:
    """Return the configuration as it was given, and with every default.

    Args:
        raw: As given: config.yaml, and what the command line laid over it.
        config: The same, checked.
    """
    plugins = {
        section: {
            name: {"kind": plugin.kind, "revision": plugin.revision, **plugin.options}
            for name, plugin in getattr(config, section).items()
        }
        for section in PLUGIN_SECTIONS
    }
    whole = {**config.sections, **plugins, "features": config.features}
    return (
        Fold(title="Configuration as given", text=_dump(raw)),
        Fold(title="Configuration with every default", text=_dump(whole)),
    )


def protocol_table(config: Config) -> Table:
    """Return the settings that all runs share."""
    settings = config.sections["protocol"]
    return text_table(
        "Protocol that all runs share",
        ["setting", "value"],
        [[name.replace("_", " "), _value(value)] for name, value in settings.items()],
    )


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else _dump(value)


def _dump(thing: Any) -> str:
    text = yaml.safe_dump(thing, sort_keys=False, allow_unicode=True, width=100)
    return text.removesuffix("...\n").strip()
