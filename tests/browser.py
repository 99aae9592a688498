"""A real headless browser that opens a file, and everything it did meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Opened:
    """A page in the browser."""

    page: Any
    """Of Playwright."""
    requests: list[str] = field(default_factory=list)
    """Addresses of everything that was asked for, the page itself and data in it left out."""
    messages: list[str] = field(default_factory=list)
    """Errors and warnings of the console, and exceptions of scripts."""


def find_chromium() -> str | None:
    """Return the browser: that of AVZSL_CHROMIUM, or the first on the PATH."""
    asked = os.environ.get("AVZSL_CHROMIUM")
    if asked:
        return asked
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def require_chromium() -> str:
    """Return the browser; skip where there is none, or fail with AVZSL_REQUIRE_BROWSER=1."""
    path = find_chromium()
    if path is not None:
        return path
    why = f"no browser on the PATH ({', '.join(NAMES)}), and AVZSL_CHROMIUM names none"
    if os.environ.get("AVZSL_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{why}, but AVZSL_REQUIRE_BROWSER=1 asks for one")
    pytest.skip(why)


@contextmanager
def start() -> Iterator[Any]:
    """Yield a browser of Playwright."""
    path = require_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, path: Path, **options: Any) -> Iterator[Opened]:
    """Open a file, in a window of 1280 x 900 unless ``options`` say otherwise, and listen."""
    options = {"viewport": {"width": 1280, "height": 900}, **options}
    page = browser.new_page(**options)
    found = Opened(page)
    own = path.resolve().as_uri()

    def note(request: Any) -> None:
        if request.url.partition("#")[0] != own and not request.url.startswith("data:"):
            found.requests.append(request.url)

    def listen(message: Any) -> None:
        if message.type in ("error", "warning"):
            found.messages.append(f"{message.type}: {message.text}")

    page.on("request", note)
    page.on("console", listen)
    page.on("pageerror", lambda error: found.messages.append(str(error)))
    page.goto(own)
    yield found
    page.close()
