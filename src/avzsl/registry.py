"""One registry for every kind of plug-in: encoders and methods, ours and other packages'."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

T = TypeVar("T", bound=type)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest known words, or lists all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=2, cutoff=0.5)
    if near:
        return "Did you mean " + " or ".join(repr(name) for name in near) + "?"
    return "Known: " + (", ".join(known) or "none") + "."


class Registry(Generic[T]):
    """Names to classes, filled by the modules of a package and by entry points.

    Args:
        what: The word for one entry in messages, such as ``"encoder"``.
        package: Package whose modules register themselves when imported.
        group: Entry-point group through which other packages add theirs.
    """

    def __init__(self, what: str, *, package: str, group: str) -> None:
        self.what = what
        self._package = package
        self._group = group
        self._entries: dict[str, T] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that enters a class under ``name``.

        Raises:
            ValueError: If another class has that name already.
        """

        def enter(cls: T) -> T:
            other = self._entries.get(name)
            if other is not None and (other.__module__, other.__qualname__) != (
                cls.__module__,
                cls.__qualname__,
            ):
                raise ValueError(
                    f"The {self.what} {name!r} is registered by {other.__module__} already; "
                    f"{cls.__module__} must choose another name."
                )
            self._entries[name] = cls
            return cls

        return enter

    def load(self) -> None:
        """Import every module of the package and every entry point, once."""
        if self._loaded:
            return
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")
        for point in entry_points(group=self._group):
            cls = point.load()
            self.register(point.name)(cls)
        self._loaded = True  # only now: after an error the next call must not find half of them

    def names(self) -> list[str]:
        """Return all names, sorted."""
        self.load()
        return sorted(self._entries)

    def get(self, name: str) -> T:
        """Return the class registered under ``name``.

        Raises:
            LookupError: If there is none; the message names the nearest ones.
        """
        self.load()
        if name not in self._entries:
            hint = did_you_mean(name, self._entries)
            raise LookupError(f"There is no {self.what} {name!r}. {hint}")
        return self._entries[name]
