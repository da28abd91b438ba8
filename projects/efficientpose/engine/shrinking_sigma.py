"""Shrink the heatmaps' width during training."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from efficientpose.engine.schedules import stepwise_sigma


@HOOKS.register_module()
class ShrinkingSigmaHook(Hook):
    """Set the codec's sigma at the start of every epoch.

    It depends on the epoch's number alone, so a resumed run goes on exactly. Checkpoints carry the schedule, and a run
    of another schedule refuses to resume from them. Targets are drawn in the head, so no data-loading worker has to
    restart.

    Args:
        sigma_start: σ0, as a fraction of the map.
        sigma_end: σ∞; the released networks' peaks fit 0.05.
        num_levels: Values that sigma takes, both ends included.

    Raises:
        ValueError: If a width is not positive or there is no level.
    """

    def __init__(self, *, sigma_start: float, sigma_end: float = 0.05, num_levels: int) -> None:
        if min(sigma_start, sigma_end) <= 0 or num_levels < 1:
            raise ValueError(
                "sigma_start and sigma_end must be positive and num_levels at least 1, "
                f"got {sigma_start}, {sigma_end} and {num_levels}"
            )
        self.sigma_start = sigma_start
        self.sigma_end = sigma_end
        self.num_levels = num_levels

    @property
    def schedule(self) -> dict[str, float]:
        """The settings, as checkpoints carry them."""
        return {"sigma_start": self.sigma_start, "sigma_end": self.sigma_end, "num_levels": self.num_levels}

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:  # noqa: ARG002 - MMEngine passes it
        """Add the schedule to the checkpoint (MMEngine's contract)."""
        checkpoint["sigma_schedule"] = self.schedule

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare schedules when a run is resumed; a new run may start from any weights (MMEngine's contract).

        Raises:
            ValueError: If the checkpoint's run had another schedule.
        """
        earlier = checkpoint.get("sigma_schedule", self.schedule)
        if runner._resume and earlier != self.schedule:
            raise ValueError(
                f"the run to resume had the sigma schedule {earlier}, this config has {self.schedule}: set it back to "
                "resume, or start a new run from those weights with load_from"
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's sigma and log it (MMEngine's contract)."""
        network = runner.model.module if is_model_wrapper(runner.model) else runner.model
        sigma = stepwise_sigma(
            runner.epoch,
            num_epochs=runner.max_epochs,
            num_levels=self.num_levels,
            sigma_start=self.sigma_start,
            sigma_end=self.sigma_end,
        )
        network.head.decoder.sigma = sigma
        runner.message_hub.update_scalar("train/sigma", sigma)
