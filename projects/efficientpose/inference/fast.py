"""Prepare an MMPose model for inference in PyTorch: the same keypoints, without the work that only training needs."""

import copy
from typing import Final, Literal, NamedTuple, get_args

import torch
from mmengine.model import BaseModel
from mmpose.models.heads.base_head import BaseHead
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import Tensor, nn

from efficientpose.export.deployed import DeployedNetwork, ExportOptions, deploy
from efficientpose.models.criterion import PoseMaps
from efficientpose.models.head import EfficientPoseHead

_NUM_WARM_UP = 3


class _Recording(NamedTuple):
    """A recorded run, with the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    images: Tensor
    maps: tuple[Tensor, ...]


class CudaGraphs:
    """Records a network, in evaluation mode on a CUDA device, once for each shape of input and plays it back.

    Each shape keeps its memory; use few batch sizes.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._recordings: dict[torch.Size, _Recording] = {}

    @torch.inference_mode()
    def run(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the network's output for images."""
        if images.shape not in self._recordings:
            self._recordings[images.shape] = self._record(images)
        recording = self._recordings[images.shape]
        recording.images.copy_(images)
        recording.graph.replay()
        return tuple(each.clone() for each in recording.maps)

    def _record(self, images: Tensor) -> _Recording:
        given = images.clone()
        # a run that is recorded must not initialise libraries any more, and these runs must not be on the main stream
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_NUM_WARM_UP):
                self._network(given)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            maps = self._network(given)
        return _Recording(graph, given, maps)


Execution = Literal["eager", "compile", "cuda_graphs"]
Precision = Literal["float32", "bf16", "float16"]

DTYPES: Final = {"float32": torch.float32, "bf16": torch.bfloat16, "float16": torch.float16}


def prepare_for_inference(
    model: TopdownPoseEstimator,
    *,
    execution: Execution = "eager",
    precision: Precision = "float32",
    pafs: bool = False,
) -> "PreparedPoseEstimator":
    """Return a pose estimator that finds the same keypoints faster.

    Batch norms, E-swish's factor and asymmetric padding are folded into the convolutions, tensors are channels last,
    earlier passes' maps are left out, and so is the upsampling where the codec decodes without it. It takes the model's
    place in MMPose's inference functions, in an inferencer (``inferencer.inferencer.model = ...``), in
    ``model.test_step``, and in :class:`~efficientpose.inference.estimator.TorchPoseEstimator`.

    Args:
        model: An EfficientPose with weights, in evaluation mode, as MMPose's ``init_model`` returns it; not changed.
        execution: "eager" is ready at once. "compile" has TorchInductor generate code at the first call, which takes up
            to a minute and needs a C++ compiler: it pays for long runs. "cuda_graphs" records each batch size once and
            replays it: for small batches on a GPU.
        precision: "bf16" and "float16" are for processors and GPUs that have them; keypoints then move a little.
        pafs: Whether mode "tensor" gives part affinity fields as well.

    Raises:
        ValueError: If the model is no such EfficientPose, or the execution or precision is unknown or not for the
            model's device.
    """
    _check_model(model)
    device = next(model.parameters()).device
    _check_options(execution, precision, device)
    head = model.head
    is_coarse = head.upsampler is None or head.decodes_sparsely
    options = ExportOptions(outputs="heatmaps" if is_coarse else "full", pafs=pafs)
    source = model if device.type == "cpu" else copy.deepcopy(model).cpu()
    network = PreparedNetwork(deploy(source, options), execution=execution, dtype=DTYPES[precision]).to(device)
    return PreparedPoseEstimator(model, network=network, head=PreparedHead(head, is_coarse=is_coarse)).eval()


def _check_model(model: object) -> None:
    if isinstance(model, PreparedPoseEstimator):
        raise ValueError("this model is prepared for inference already")
    head = getattr(model, "head", None)
    if not isinstance(model, TopdownPoseEstimator) or not isinstance(head, EfficientPoseHead):
        given = f"{type(model).__name__} with the head {type(head).__name__}"
        raise ValueError(f"only a top-down EfficientPose can be prepared for inference, got {given}")
    if model.training:
        raise ValueError("the model is in training mode, in which batch norms cannot be folded: call model.eval()")
    if head.decoder is None:
        raise ValueError("the model's head has no decoder, so there are no keypoints to find: give its config one")


def _check_options(execution: str, precision: str, device: torch.device) -> None:
    if execution not in get_args(Execution):
        raise ValueError(f"execution is one of {', '.join(get_args(Execution))}, not {execution!r}")
    if precision not in DTYPES:
        raise ValueError(f"precision is one of {', '.join(DTYPES)}, not {precision!r}")
    if execution == "cuda_graphs" and device.type != "cuda":
        raise ValueError(f'CUDA graphs need the model on a CUDA device, it is on {device}: use "eager" or "compile"')
    if precision == "float16" and device.type == "cpu":
        raise ValueError('float16 is for GPUs, and the model is on the CPU: use "bf16" or "float32"')


class PreparedNetwork(nn.Module):
    """A deployed network that takes (B, 3, H, W) float32 of one size and gives float32 maps, computed in ``dtype``."""

    def __init__(self, network: DeployedNetwork, *, execution: Execution, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network.to(dtype).to(memory_format=torch.channels_last).requires_grad_(False)
        self.dtype = dtype
        self._graphs = CudaGraphs(self.network) if execution == "cuda_graphs" else None
        if execution == "compile":
            self.network.compile()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Predict heatmaps and, where there are any, part affinity fields.

        Raises:
            ValueError: If the images are of another size than the network's: its padding was folded for one.
        """
        width, height = self.network.input_size
        if tuple(images.shape[1:]) != (3, height, width):
            raise ValueError(
                f"the model is prepared for images (batch, 3, {height}, {width}), got {tuple(images.shape)}: use the "
                "model it was made from"
            )
        images = images.to(dtype=self.dtype, memory_format=torch.channels_last)
        maps = self.network(images) if self._graphs is None else self._graphs.run(images)
        return tuple(each.float() for each in maps)


class PreparedHead(EfficientPoseHead):
    """Reads keypoints off maps that are computed already, with another head's decoder; it has no layers.

    Coarse maps come in at stride 8, and are upsampled only where full ones are asked for.
    """

    def __init__(self, head: EfficientPoseHead, *, is_coarse: bool) -> None:
        BaseHead.__init__(self)
        self.num_keypoints = head.num_keypoints
        self.decoder = head.decoder
        self.upsampler = head.upsampler if is_coarse else None
        self.is_coarse = is_coarse

    def forward(self, feats: tuple[Tensor, ...]) -> PoseMaps:
        """Return heatmaps and, where they were asked for, part affinity fields; earlier passes' maps are left out."""
        pafs = feats[1] if len(feats) > 1 else None
        if not self.is_coarse:
            return PoseMaps(pafs=pafs, heatmaps=(), full_heatmaps=feats[0])
        full = None if self.upsampler is None else self.upsampler(feats[0])
        return PoseMaps(pafs=pafs, heatmaps=(feats[0],), full_heatmaps=full)

    def forward_coarse(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the heatmaps."""
        return feats[0]


class PreparedPoseEstimator(TopdownPoseEstimator):
    """What :func:`prepare_for_inference` returns: a prepared network and head with the settings of a model."""

    def __init__(self, model: TopdownPoseEstimator, *, network: PreparedNetwork, head: PreparedHead) -> None:
        BaseModel.__init__(self, data_preprocessor=copy.deepcopy(model.data_preprocessor))
        self.metainfo = model.metainfo
        self.train_cfg: dict = {}
        self.test_cfg = copy.deepcopy(model.test_cfg)
        self.backbone = network
        self.head = head
        for name in ("cfg", "dataset_meta"):  # what MMPose's init_model adds
            if hasattr(model, name):
                setattr(self, name, getattr(model, name))

    def train(self, mode: bool = True) -> "PreparedPoseEstimator":
        """Stay in evaluation mode; raises ValueError if training is asked for."""
        if mode:
            raise ValueError("a model prepared for inference cannot be trained: train the model it was made from")
        return super().train(mode)

    @torch.inference_mode()
    def forward(self, *arguments: object, **settings: object) -> object:
        """Run without autograd; as MMPose's pose estimators."""
        return super().forward(*arguments, **settings)
