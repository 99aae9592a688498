"""The page as text: the template filled in, everything escaped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from avzsl import __version__
from avzsl.provenance import git_revision
from avzsl.report.page.records import Section

TITLE = "Audio-visual generalized zero-shot learning: results"


def render(sections: Sequence[Section], *, made: datetime | None = None) -> str:
    """Return the page as HTML.

    Args:
        sections: What stands on it.
        made: When it is made; None means now.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made = made or datetime.now(UTC)
    return environment.get_template("template.html").render(
        title=TITLE,
        made=made.strftime("%Y-%m-%d %H:%M UTC"),
        machine_time=made.strftime("%Y-%m-%dT%H:%MZ"),
        version=__version__,
        revision=git_revision(),
        sections=sections,
    )
