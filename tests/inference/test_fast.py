"""A model prepared for inference finds the same keypoints, through every way in."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.apis import MMPoseInferencer, inference_topdown, init_model
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import efficientpose
from efficientpose import PoseEstimator, prepare_for_inference
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.inference.fast import PreparedNetwork

SIZE = (96, 64)
GOLDEN_IMAGES = ("official_sample.jpg", "person1.jpg", "004645041.jpg", "060754485.jpg")


@pytest.fixture(scope="module")
def make_model():
    """A network of one's own, with two branches, two blocks a pass, and a number everywhere that is not the default."""

    def make(*, flip_test=False, **head):
        config = Config.fromfile(mpii_config_path("rt"))
        config.model.backbone.update(high_arch="b0", low_arch="b0")
        config.model.head.update(in_channels=64, channels=8, num_blocks=2)
        config.model.head.update(**{key: value for key, value in head.items() if key != "sparse"})
        config.model.head.decoder.update(input_size=SIZE, sparse=head.get("sparse", True))
        config.model.test_cfg.flip_test = flip_test
        config.test_dataloader.dataset.pipeline[-2].input_size = SIZE
        torch.manual_seed(0)
        model = init_model(config, device="cpu")
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, _BatchNorm):
                    for tensor in (module.running_var, module.weight):
                        tensor.uniform_(0.5, 1.5, generator=generator)
                    for tensor in (module.running_mean, module.bias):
                        tensor.normal_(0, 0.3, generator=generator)
            for each in model.head.passes:
                each.predict.weight.normal_(0, 0.1, generator=generator)
        return model

    return make


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)


# inside the picture with their margin: in black around it, maps are flat, and their peaks anywhere
BOXES = [[10, 8, 70, 48], [15, 10, 75, 50], [30, 22, 78, 54]]


def instances(model, picture):
    samples = inference_topdown(model, picture, np.array(BOXES, np.float32))
    return [sample.pred_instances for sample in samples]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        dict(flip_test=True),
        dict(sparse=False),
        dict(upsampling="transposed_conv"),
        dict(upsampling=None),
        dict(num_limbs=0),
        dict(act_cfg=dict(type="ReLU6"), with_squeeze_excite=False),
    ],
    ids=str,
)
def test_keypoints_of_a_network_of_ones_own(make_model, picture, settings):
    model = make_model(**settings)
    ours = instances(prepare_for_inference(model), picture)
    theirs = instances(model, picture)
    assert len(ours) == 3
    for fast, slow in zip(ours, theirs, strict=True):
        assert np.ptp(slow.keypoints, axis=1).min() > 5  # peaks all over the picture, so equality says something
        np.testing.assert_allclose(fast.keypoints, slow.keypoints, atol=0.25)
        np.testing.assert_allclose(
            fast.keypoint_scores, slow.keypoint_scores, atol=1e-4 * np.abs(slow.keypoint_scores).max()
        )
        np.testing.assert_array_equal(fast.bboxes, slow.bboxes)


def test_it_is_folded_and_the_model_is_not_changed(make_model, picture):
    model = make_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    prepared = prepare_for_inference(model)
    assert not any(isinstance(module, _BatchNorm) for module in prepared.modules())
    convolutions = [module for module in prepared.modules() if isinstance(module, nn.Conv2d)]
    assert all(conv.weight.is_contiguous(memory_format=torch.channels_last) for conv in convolutions)
    # one convolution fewer for each pass whose maps nobody reads
    assert len(convolutions) == sum(isinstance(module, nn.Conv2d) for module in model.modules()) - 2
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    prepared.test_cfg["flip_test"] = True
    assert not model.test_cfg["flip_test"]


def test_maps_are_those_of_the_model(make_model):
    model = make_model()
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        slow = model(images, None, mode="tensor")
    fast = prepare_for_inference(model, pafs=True)(images, None, mode="tensor")
    for ours, theirs in ((fast.pafs, slow.pafs), (fast.heatmaps[-1], slow.heatmaps[-1]), (fast.final, slow.final)):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * theirs.abs().max().item())
    assert fast.pafs.is_inference()
    assert prepare_for_inference(model)(images, None, mode="tensor").pafs is None


def test_bf16_keeps_the_maps_roughly_and_the_output_in_single_precision(make_model):
    model = make_model()
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        slow = model(images, None, mode="tensor").heatmaps[-1]
    (fast,) = prepare_for_inference(model, precision="bf16")(images, None, mode="tensor").heatmaps
    assert fast.dtype == torch.float32
    error = (fast - slow).abs().max() / slow.abs().max()
    assert 1e-4 < error < 0.1  # bf16 has 8 bits: neither exact nor nonsense


def test_mmpose_inferencer_runs_it(make_model, picture, tmp_path):
    model = make_model()
    config = tmp_path / "own.py"
    model.cfg.dump(config)
    checkpoint = tmp_path / "own.pth"
    torch.save({"state_dict": model.state_dict(), "meta": {}}, checkpoint)
    inferencer = MMPoseInferencer(
        pose2d=str(config), pose2d_weights=str(checkpoint), det_model="whole_image", device="cpu", show_progress=False
    )
    (before,) = next(inferencer(picture))["predictions"]
    inferencer.inferencer.model = prepare_for_inference(inferencer.inferencer.model)
    (after,) = next(inferencer(picture))["predictions"]
    np.testing.assert_allclose(after[0]["keypoints"], before[0]["keypoints"], atol=0.25)


@pytest.mark.parametrize("variant", ["rt", "i"])
def test_released_weights_on_reference_crops(shared, checkpoints, variant):
    estimator = PoseEstimator.load(variant, weights=checkpoints[variant])
    prepared = PoseEstimator(efficientpose.prepare_for_inference(estimator.model), name=variant)
    resolution = estimator.model.cfg.input_size[0]
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        for name in GOLDEN_IMAGES:
            crop = np.ascontiguousarray(inputs[f"{name}@{resolution}"][..., ::-1])
            np.testing.assert_allclose(
                prepared.predict(crop)[0].keypoints, estimator.predict(crop)[0].keypoints, atol=1e-3
            )
    np.testing.assert_allclose(prepared.predict_maps(crop).heatmaps, estimator.predict_maps(crop).heatmaps, atol=1e-4)


@pytest.mark.slow
def test_compiled(make_model, picture):
    model = make_model()
    ours = instances(prepare_for_inference(model, execution="compile"), picture)
    for fast, slow in zip(ours, instances(model, picture), strict=True):
        np.testing.assert_allclose(fast.keypoints, slow.keypoints, atol=0.25)


@pytest.mark.gpu
@pytest.mark.parametrize("execution", ["eager", "compile", "cuda_graphs"])
@pytest.mark.parametrize("precision", ["float32", "bf16", "float16"])
def test_on_a_gpu(make_model, execution, precision):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model = make_model()
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model(images, None, mode="tensor").heatmaps[-1]
    prepared = prepare_for_inference(model.cuda(), execution=execution, precision=precision)
    for _ in range(2):  # the first call records or compiles
        (maps,) = prepared(images.cuda(), None, mode="tensor").heatmaps
    tolerance = {"float32": 5e-3, "bf16": 0.1, "float16": 2e-2}[precision]  # float32 may be TF32
    assert (maps.cpu() - expected).abs().max() <= tolerance * expected.abs().max()


def test_errors(make_model):
    model = make_model()
    prepared = prepare_for_inference(model)
    with pytest.raises(ValueError, match="prepared for inference already"):
        prepare_for_inference(prepared)
    with pytest.raises(ValueError, match=r"training mode.*call model\.eval\(\)"):
        prepare_for_inference(make_model().train())
    with pytest.raises(ValueError, match="cannot be trained: train the model it was made from"):
        prepared.train()
    with pytest.raises(ValueError, match=r"prepared for images \(batch, 3, 64, 96\), got \(1, 3, 64, 64\)"):
        prepared(torch.zeros(1, 3, 64, 64), None, mode="tensor")
    with pytest.raises(ValueError, match="got Linear with the head NoneType"):
        prepare_for_inference(nn.Linear(1, 1))
    with pytest.raises(ValueError, match="execution is one of eager, compile, cuda_graphs, not 'fast'"):
        prepare_for_inference(model, execution="fast")
    with pytest.raises(ValueError, match="precision is one of float32, bf16, float16, not 'int8'"):
        prepare_for_inference(model, precision="int8")
    with pytest.raises(ValueError, match='it is on cpu: use "eager" or "compile"'):
        prepare_for_inference(model, execution="cuda_graphs")
    with pytest.raises(ValueError, match="float16 is for GPUs"):
        prepare_for_inference(model, precision="float16")
    headless = make_model()
    headless.head.decoder = None
    with pytest.raises(ValueError, match="has no decoder"):
        prepare_for_inference(headless)


def test_training_mode_keeps_evaluation_mode_of_its_parts(make_model):
    prepared = prepare_for_inference(make_model())
    assert isinstance(prepared.backbone, PreparedNetwork)
    assert not any(module.training for module in prepared.eval().modules())
