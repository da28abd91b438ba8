"""Shrink the heatmaps' width during training (Appendix B)."""

from collections.abc import Iterable
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, Runner

from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.codecs.targets import check_sigma
from efficientpose.engine.cyclical_rate import DecayingTriangularLR
from efficientpose.engine.lookup import network_of
from efficientpose.engine.resuming import check_resumed

_KEY = "sigma_schedule"


@HOOKS.register_module()
class ShrinkingSigmaHook(Hook):
    """Set the codec's sigma at the start of every epoch: equal steps down, each for an equal share of the epochs.

    Sigma depends on the epoch's number and the run's length alone, so a resumed run goes on exactly. Checkpoints carry
    the schedule, that length and the steps of an epoch, and a run with others refuses to resume from them. The head
    draws the targets, so no data-loading worker has to restart. A cyclical learning rate takes the sigmas of Eq. 5 from
    here.

    Args:
        sigma_start: σ0, as a fraction of the heatmap's size.
        sigma_end: σ∞; the released networks' peaks fit 0.05.
        num_levels: Values that sigma takes, both ends included.

    Raises:
        ValueError: If a width is not positive or there is no level.
    """

    def __init__(self, *, sigma_start: float, sigma_end: float = 0.05, num_levels: int) -> None:
        check_sigma("sigma_start", sigma_start)
        check_sigma("sigma_end", sigma_end)
        if num_levels < 1:
            raise ValueError(f"num_levels must be at least 1, got {num_levels}")
        self.sigma_start = sigma_start
        self.sigma_end = sigma_end
        self.num_levels = num_levels

    def find_sigma(self, epoch: int, *, num_epochs: int) -> float:
        """Return the sigma of an epoch as a fraction of the heatmap's size.

        Args:
            epoch: Counted from 0; beyond the last, sigma is ``sigma_end``.
            num_epochs: Epochs of the whole training.
        """
        if self.num_levels == 1:
            return self.sigma_end
        level = min(self.num_levels - 1, epoch * self.num_levels // num_epochs)
        return self.sigma_start + (self.sigma_end - self.sigma_start) * level / (self.num_levels - 1)

    def share_sigmas(self, schedulers: Iterable[Any]) -> None:
        """Give the sigmas to the cyclical learning rates among a run's schedulers."""
        for scheduler in schedulers:
            if isinstance(scheduler, DecayingTriangularLR):
                scheduler.follow_sigma(sigma_start=self.sigma_start, sigma_end=self.sigma_end)

    def before_run(self, runner: Runner) -> None:
        """Give the sigmas to the learning rate (MMEngine's contract)."""
        if isinstance(runner.param_schedulers, list):  # a dict with several optimisers, None without any
            self.share_sigmas(runner.param_schedulers)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the schedule and the run's length to the checkpoint (MMEngine's contract)."""
        checkpoint[_KEY] = self._describe(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare schedules when a run is resumed; a new run may start from any weights (MMEngine's contract).

        Raises:
            ValueError: If the checkpoint's run had none, or another one, or another length.
        """
        if runner._resume:
            check_resumed(checkpoint.get(_KEY), self._describe(runner), name=_KEY)

    def _describe(self, runner: Runner) -> dict[str, float]:
        settings = {"sigma_start": self.sigma_start, "sigma_end": self.sigma_end, "num_levels": self.num_levels}
        return {**settings, "max_epochs": runner.max_epochs, "steps_per_epoch": len(runner.train_dataloader)}

    def before_train(self, runner: Runner) -> None:
        """Check that sigma can shrink (MMEngine's contract).

        Raises:
            ValueError: If the run is not by epochs, or the head draws no targets.
        """
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError("sigma shrinks by epochs: give train_cfg by_epoch=True and max_epochs")
        head = network_of(runner).head
        draws_targets = hasattr(head, "draw_targets")  # others have theirs from the pipeline's GenerateTarget
        if not (draws_targets and isinstance(head.decoder, FullResolutionHeatmap)):
            raise ValueError(
                "sigma shrinks where the head draws its targets, an EfficientPoseHead with a decoder: leave "
                "ShrinkingSigmaHook out elsewhere"
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's sigma and log it (MMEngine's contract)."""
        sigma = self.find_sigma(runner.epoch, num_epochs=runner.max_epochs)
        network_of(runner).head.decoder.sigma = sigma
        runner.message_hub.update_scalar("train/sigma", sigma)
