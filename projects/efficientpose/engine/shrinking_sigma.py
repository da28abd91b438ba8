"""Shrink the heatmaps' width during training."""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from efficientpose.engine.networks import network_of
from efficientpose.engine.schedules import stepwise_sigma

_LENGTH = "max_epochs"


@HOOKS.register_module()
class ShrinkingSigmaHook(Hook):
    """Set the codec's sigma at the start of every epoch.

    It depends on the epoch's number and the run's length alone, so a resumed run goes on exactly. Checkpoints carry the
    schedule and that length, and a run of another schedule or length refuses to resume from them. Targets are drawn in
    the head, so no data-loading worker has to restart.

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

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the schedule and the run's length to the checkpoint (MMEngine's contract)."""
        checkpoint["sigma_schedule"] = {**self.schedule, _LENGTH: runner.max_epochs}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare schedules when a run is resumed; a new run may start from any weights (MMEngine's contract).

        Raises:
            ValueError: If the checkpoint's run had another schedule or another length.
        """
        if not runner._resume:
            return
        earlier = dict(checkpoint.get("sigma_schedule", self.schedule))
        num_epochs = earlier.pop(_LENGTH, runner.max_epochs)  # earlier checkpoints lack it
        if earlier != self.schedule:
            raise ValueError(
                f"the run to resume had the sigma schedule {earlier}, this config has {self.schedule}: set it back to "
                "resume, or start a new run from those weights with load_from"
            )
        if num_epochs != runner.max_epochs:
            raise ValueError(
                f"the run to resume is one of {num_epochs} epochs, this config's of {runner.max_epochs}; sigma and the "
                f"learning rate follow that length: set train_cfg.max_epochs back to {num_epochs} to resume, or start "
                "a new run from those weights with load_from"
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's sigma and log it (MMEngine's contract)."""
        network = network_of(runner)
        sigma = stepwise_sigma(
            runner.epoch,
            num_epochs=runner.max_epochs,
            num_levels=self.num_levels,
            sigma_start=self.sigma_start,
            sigma_end=self.sigma_end,
        )
        network.head.decoder.sigma = sigma
        runner.message_hub.update_scalar("train/sigma", sigma)
