"""The two-stage protocol of the field (Mercea et al., CVPR 2022).

Stage 1 trains on ``train`` and chooses epoch and bias on validation. Stage 2 starts anew from the
same seed, trains on ``train``, ``val_seen`` and ``val_unseen`` for as many epochs, and takes over
the bias. No test clip is read, and no embedding of a class that is unseen in a stage enters a loss
of that stage.

Shapes: V clips, K candidate classes, W size of a class embedding.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avzsl.datasets.features import FeatureSet
from avzsl.methods.base import Dims, Method, TokenLimits, methods
from avzsl.metrics.calibration import calibrate
from avzsl.options import as_dict, from_dict
from avzsl.provenance import digest, origin
from avzsl.seeding import seed_torch
from avzsl.training.checkpoint import ResumeFile, TrainedModel, save_model
from avzsl.training.clips import judging_clips, training_clips, vectors_of
from avzsl.training.feeding import Feeder, Preparation, averaged
from avzsl.training.history import write_history
from avzsl.training.loop import Fit
from avzsl.training.optim import Plateau
from avzsl.training.protocol import ProtocolOptions
from avzsl.training.scoring import score_clips
from avzsl.types import ClassEmbeddings

_log = logging.getLogger(__name__)


def train_run(
    features: FeatureSet,
    classes: ClassEmbeddings,
    kind: str,
    options: dict[str, Any],
    *,
    seed: int,
    device: torch.device,
    out: Path,
    history_out: Path,
    run_id: str,
    protocol: ProtocolOptions,
    save_every_seconds: float = 60.0,
) -> None:
    """Fit a method with one seed, both stages, and write the model and its history.

    A killed training goes on where it was when this is called again with the same arguments; on
    the CPU the result is the same to the last bit.

    Args:
        features: At least the clips of ``train``, ``val_seen`` and ``val_unseen``.
        classes: An embedding for every class of these clips, and for the unseen test classes.
        kind: The method's registered name.
        options: Its options; defaults are filled in.
        seed: Of weights, batches and dropout.
        device: Where to train.
        out: The model.
        history_out: CSV with a row an epoch.
        run_id: Id of all this was made from; kept in the model.
        protocol: Calibration, standardisation and validation.
        save_every_seconds: Time between two saves of the state to resume from.

    Raises:
        LookupError: If there is no such method, or a class lacks its embedding.
        ValueError: If an option or the split is not valid, or training diverges.
        OSError: If a file cannot be written.
    """
    run = _Run(features, classes, kind, options, seed=seed, device=device, protocol=protocol)
    resume = ResumeFile(out, run.key(run_id), every_seconds=save_every_seconds)
    run.go(resume)
    save_model(out, run.model(run_id))
    write_history(history_out, run.history)
    resume.remove()


class _Run:
    """The state of both stages: where the training is, what it chose, and what it logged."""

    def __init__(
        self,
        features: FeatureSet,
        classes: ClassEmbeddings,
        kind: str,
        options: dict[str, Any],
        *,
        seed: int,
        device: torch.device,
        protocol: ProtocolOptions,
    ) -> None:
        self._kind = kind
        self._options = from_dict(methods.get(kind).Options, options)
        self._features = features
        self._fed = features if methods.get(kind).needs_tokens else averaged(features)
        self._classes = classes
        self._seed = seed
        self._device = device
        self._protocol = protocol
        self._choice: dict[str, Any] = {"hm": -1.0}
        self._rates: list[float] = []
        self._plateau = Plateau(self._options.training)
        self.history: list[dict[str, Any]] = []
        self._begin(1)
        self._judging = judging_clips(
            features, self._seen, seen_subset="val_seen", unseen_subset="val_unseen"
        )
        limits = self._options.training.evaluation_tokens
        self._judge = self._feeder(self._judging.candidates, limits)

    def go(self, resume: ResumeFile) -> None:
        """Run both stages to their end, from where a killed run left off."""
        state = resume.load()
        if state is not None:
            self._load_state_dict(state)
            _log.info("resumed in stage %d after %d epochs", self._stage, self._fit.epoch)
        if self._stage == 1:
            self._run_epochs(self._options.training.epochs, resume)
            _log.info("chosen: epoch %(epoch)d, bias %(bias).4g, HM %(hm).2f", self._choice)
            self._begin(2)
        self._run_epochs(self._choice["epoch"], resume)

    def _begin(self, stage: int) -> None:
        """Make the method anew, from the same seed in both stages."""
        rows, self._seen = training_clips(self._features, stage)
        self._stage = stage
        fit = Preparation.fit(self._features, rows) if self._protocol.standardise else None
        self._preparation = fit
        seed_torch(self._seed)
        self._fit = Fit(
            self._make_method(),
            self._feeder(self._seen, self._options.training.tokens),
            rows,
            self._vectors(self._seen),
            self._options.training,
            seed=self._seed,
            stage=stage,
        )
        _log.info("stage %d: %d clips of %d classes", stage, len(rows), len(self._seen))

    def _run_epochs(self, epochs: int, resume: ResumeFile) -> None:
        every = self._protocol.evaluate_every
        while self._fit.epoch < epochs:
            if self._stage == 2:
                self._fit.learning_rate = self._rates[self._fit.epoch]
            else:
                self._rates.append(self._fit.learning_rate)
            losses = self._fit.run_epoch(lambda: resume.save_if_due(self._state_dict))
            epoch = self._fit.epoch
            row = {"stage": self._stage, "epoch": epoch, **losses}
            if self._stage == 1 and (epoch % every == 0 or epoch == epochs):
                row |= self._validate(epoch)
                self._fit.learning_rate = self._plateau.after(row["val_hm"], self._rates[-1])
            self.history.append(row)
            _log.info(" ".join(f"{name} {value:.4g}" for name, value in row.items()))
            resume.save_if_due(self._state_dict)

    def _validate(self, epoch: int) -> dict[str, float]:
        """Measure on validation with the best bias there is; keep the epoch if it is the best."""
        scores_VK = score_clips(
            self._fit.method,
            self._judge,
            self._judging.rows,
            self._vectors(self._judging.candidates),
            batch_size=self._options.training.batch_size,
        )
        found = calibrate(
            scores_VK.numpy(),
            self._judge.labels(self._judging.rows),
            self._judging.is_seen,
            search=self._protocol.calibration,
            grid_max=self._protocol.grid_max,
            grid_steps=self._protocol.grid_steps,
        )
        metrics = found.metrics
        if metrics.hm > self._choice["hm"]:
            self._choice = {"epoch": epoch, "bias": found.bias, "hm": metrics.hm}
        return {
            "val_seen": metrics.seen,
            "val_unseen": metrics.unseen,
            "val_hm": metrics.hm,
            "val_zsl": metrics.zsl,
            "bias": found.bias,
        }

    def _make_method(self) -> Method:
        return methods.get(self._kind)(self._options, self._dims).to(self._device)

    @property
    def _dims(self) -> Dims:
        return Dims(
            audio=self._features.audio.dim,
            visual=self._features.visual.dim,
            text=self._classes.vectors.shape[1],
        )

    def _feeder(self, names: Sequence[str], limits: TokenLimits) -> Feeder:
        return Feeder(
            self._fed,
            names,
            preparation=self._preparation,
            device=self._device,
            limits=limits,
        )

    def _vectors(self, names: Sequence[str]) -> Tensor:
        return torch.from_numpy(vectors_of(self._classes, names)).to(self._device)

    def _state_dict(self) -> dict[str, Any]:
        return {
            "stage": self._stage,
            "choice": self._choice,
            "history": self.history,
            "rates": self._rates[: self._fit.epoch] if self._stage == 1 else self._rates,
            "plateau": self._plateau.state(),
            "fit": self._fit.state_dict(),
        }

    def _load_state_dict(self, state: dict[str, Any]) -> None:
        if state["stage"] != self._stage:
            self._begin(state["stage"])
        self._choice, self.history = state["choice"], state["history"]
        self._rates = list(state["rates"])
        self._plateau.load(state["plateau"])
        self._fit.load_state_dict(state["fit"])

    def key(self, run_id: str) -> str:
        """Return an id of everything that the training depends on, for its resume file."""
        return digest(
            "resume",
            run_id,
            [self._kind, methods.get(self._kind).revision, as_dict(self._options), self._seed],
            as_dict(self._protocol),
            self._features.features_ids,
            [self._features.video_ids, self._features.class_names],
            [self._features.labels.tolist(), self._features.subsets.tolist()],
            [self._classes.names, self._classes.vectors.tolist()],
        )

    def model(self, run_id: str) -> TrainedModel:
        """Return the trained model."""
        return TrainedModel(
            kind=self._kind,
            method=self._fit.method,
            options=self._options,
            dims=self._dims,
            preparation=self._preparation,
            seen_classes=self._seen,
            classes=self._classes,
            bias=self._choice["bias"],
            epoch=self._choice["epoch"],
            seed=self._seed,
            run_id=run_id,
            origin=origin(),
            notes=(*self._features.notes, *self._classes.notes),
        )
