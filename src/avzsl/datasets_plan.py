"""The datasets of a configuration: their clips, shards and ids. Imports no torch."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

from avzsl.config import Config
from avzsl.datasets.kinds import DatasetKind, dataset_kinds
from avzsl.datasets.listing import Listing, read_snapshot, snapshot_path, write_snapshot
from avzsl.datasets.manifest import ManifestRow


class DatasetsPlan:
    """What is known of datasets before anything has run; each is listed when it is asked for."""

    def __init__(
        self,
        config: Config,
        root: Path,
        *,
        snapshots: Path | None = None,
        is_job: bool = False,
    ) -> None:
        """Keep the configuration.

        Args:
            config: The checked configuration.
            root: Folder that relative paths start from.
            snapshots: Folder where listings of datasets are kept for the jobs; None keeps none.
            is_job: Whether this is a job of a workflow that was planned: listings are read there.
        """
        self.config = config
        self.root = root
        self._snapshots = snapshots
        self._is_job = is_job

    @functools.cache  # noqa: B019 - one plan lives as long as the process
    def dataset(self, name: str) -> DatasetKind:
        """Return the dataset of that name."""
        plugin = self.config.datasets[name]
        return dataset_kinds.get(plugin.kind)(name, plugin.options, self.root)

    @functools.cache  # noqa: B019
    def rows(self, dataset: str) -> list[ManifestRow]:
        """Return all clips of a dataset."""
        return self.dataset(dataset).rows()

    @functools.cache  # noqa: B019
    def listing(self, dataset: str) -> Listing:
        """Return what is planned with of a dataset; listed when it is first asked for.

        Raises:
            ValueError: If it cannot be used as configured.
            OSError: If its folder or table cannot be read.
        """
        kind = self.dataset(dataset)
        if self._snapshots is None:
            return Listing.of(kind, self.rows(dataset))
        options = self.config.datasets[dataset].options
        path = snapshot_path(self._snapshots, kind, options)
        kept = read_snapshot(path) if self._is_job else None
        if kept is not None:
            return kept
        listing = Listing.of(kind, self.rows(dataset))
        with contextlib.suppress(OSError):  # a folder that cannot be written costs time only
            write_snapshot(path, listing)
        return listing

    def shards(self, dataset: str) -> dict[str, str]:
        """Return shard -> id of its members, for the shards that have any."""
        return self.listing(dataset).shards

    def clips_id(self, dataset: str) -> str:
        """Return the id of all clips of a dataset, whatever they are used for."""
        return self.listing(dataset).clips_id

    def manifest_id(self, dataset: str) -> str:
        """Return the id of a dataset's manifest."""
        return self.listing(dataset).manifest_id

    def split_id(self, dataset: str) -> str:
        """Return the id of which clip has which class and subset."""
        return self.listing(dataset).split_id

    @functools.cache  # noqa: B019
    def store(self, dataset: str) -> str:
        """Return the dataset whose features a dataset uses: itself, or that of ``features_of``.

        Raises:
            ValueError: If that one lacks clips.
        """
        other: str | None = self.config.datasets[dataset].options["features_of"]
        if other is None:
            return dataset
        if not self._is_job:
            self._check_clips(dataset, other)
        return other

    def _check_clips(self, dataset: str, store: str) -> None:
        """Refuse a store in which a clip is missing, or is another clip under the same id."""
        there = {row.video_id: row.clip for row in self.rows(store)}
        for row in self.rows(dataset):
            if there.get(row.video_id) != row.clip:
                what = "has another clip" if row.video_id in there else "has no clip"
                raise ValueError(
                    f"{self.dataset(dataset).where}.features_of: {store} {what} "
                    f"{row.video_id!r}; its features are not those of {dataset}."
                )
