"""What the configs say, and how large the networks they describe are."""

import ast
import re

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, MODELS

from efficientpose.core.shipped_files import config_path, mpii_config_path
from efficientpose.core.variants import OPENPOSE, VARIANTS, get_variant
from efficientpose.weights.catalog import released_file

# Groos et al. 2020, ablation study: PCKh@50, PCKh@10 and millions of parameters, of variants I and II.
ABLATIONS = {
    "i_no_low_level": (83.64, 25.79, 0.68),
    "i_no_paf": (81.13, 25.00, 0.54),
    "i_one_pass": (81.85, 24.51, 0.52),
    "i_three_passes": (84.35, 26.42, 0.92),
    "i_no_upscaling": (82.42, 14.02, 0.71),
    "ii_no_low_level": (86.93, 29.16, 1.69),
    "ii_no_paf": (85.75, 29.67, 1.27),
    "ii_one_pass": (85.42, 28.01, 1.24),
    "ii_three_passes": (87.55, 29.61, 2.22),
    "ii_no_upscaling": (86.56, 20.66, 1.73),
}
RT_CHANGES = ("no_paf", "one_pass", "three_passes", "no_upscaling")  # not in the paper
FULL = {"i": (83.56, 26.35), "ii": (87.05, 29.87)}


def ablation_path(name):
    return config_path(f"ablations/efficientpose_{name}_mpii.py")


ALL_PATHS = [mpii_config_path(name) for name in VARIANTS] + [
    ablation_path(name) for name in (*ABLATIONS, *(f"rt_{change}" for change in RT_CHANGES))
]
ALL_IDS = [path.stem for path in ALL_PATHS]


# Configs that are not of MPII, and the networks they train.
OTHERS = [
    ("efficientpose_rt_synthetic.py", "rt"),
    ("efficientpose_i_synthetic.py", "i"),
    ("efficientpose_rt_lspet.py", "rt"),
    ("efficientpose_i_lspet.py", "i"),
    ("efficientpose_ii_lspet.py", "ii"),
    ("efficientpose_rt_lspet_finetune.py", "rt"),
    ("efficientpose_rt_starter.py", "rt"),
    ("baselines/mobilenetv2_synthetic.py", None),
]


NARROW = ("efficientpose_ii", "openpose")


def docstring(path):
    return ast.get_docstring(ast.parse(path.read_text()))


def build(config):
    init_default_scope("mmpose")
    return MODELS.build(config.model)


def pop_starts(model):
    """Take out and return what the branches of a model's backbone start from."""
    return {
        key: model["backbone"].pop(key) for key in ("high_pretrained", "low_pretrained") if key in model["backbone"]
    }


def count(module):
    """Parameters and batch-norm statistics."""
    return sum(each.numel() for name, each in module.state_dict().items() if "num_batches" not in name)


def test_every_config_is_tested():
    folder = mpii_config_path("rt").parent
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.py") if "_base_" not in path.parts}
    tested_elsewhere = {"efficientpose_rt_bottomup.py", "efficientpose_rt_crowd.py"}  # test_crowd_runs.py
    tested_elsewhere.add("efficientpose_rt_progressive_synthetic.py")  # test_progressive.py
    tested_elsewhere.add("efficientpose_rt_allround.py")  # below
    tested_elsewhere |= {"openpose_mpii.py", *(f"baselines/{name}_narrow_sports.py" for name in NARROW)}  # below
    tested_elsewhere |= {f"efficientpose_rt_distilled_{data}.py" for data in ("mpii", "synthetic")}  # test_distilled.py
    tested_elsewhere |= {f"efficientpose_{name}_{other}.py" for name in ("rt", "i") for other in ("coco", "halpe26")}
    assert (
        there == {str(path.relative_to(folder)) for path in ALL_PATHS} | {name for name, _ in OTHERS} | tested_elsewhere
    )
    assert len(ALL_PATHS) == 22


def test_every_variant_has_one_file_of_facts():
    names = {path.stem for path in config_path("_base_/variants/rt.py").parent.glob("*.py")}
    assert names == {*VARIANTS, "lite"}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_config_is_the_published_variant(variant):
    """The facts in ``_base_/variants`` and in the table of ``core/variants.py`` are the same."""
    config = Config.fromfile(mpii_config_path(variant.name))
    assert tuple(config.input_size) == variant.input_size
    assert ("act_cfg" in config.model.head) == variant.is_lite
    backbone, head = config.model.backbone, config.model.head
    assert (backbone.high_arch, backbone.get("low_arch")) == (variant.high_arch, variant.low_arch)
    assert (head.channels, head.num_blocks) == (variant.channels, variant.num_blocks)
    assert tuple(head.decoder.input_size) == variant.input_size
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        crops = [step for step in loader.dataset.pipeline if step.type.endswith("Affine")]
        assert [(crop.type, tuple(crop.input_size)) for crop in crops] == [("AntialiasedAffine", variant.input_size)]


@pytest.mark.parametrize("path", ALL_PATHS, ids=ALL_IDS)
def test_head_reads_what_the_neck_gives(path):
    network = build(Config.fromfile(path))
    assert network.head.in_channels == sum(network.backbone.out_channels)
    assert type(network).__name__ == "TopdownPoseEstimator"


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_variant_s_docstring_has_a_command_and_the_authors_scores(variant):
    text = docstring(mpii_config_path(variant.name))
    assert text.startswith(variant.title)
    assert f"configs/efficientpose_{variant.name}_mpii.py" in text
    assert f"python tools/train.py configs/efficientpose_{variant.name}_mpii.py\n" in text
    assert f"python tools/test.py configs/efficientpose_{variant.name}_mpii.py" in text
    assert ("--auto-scale-lr" in text) == (variant.name in {"ii", "iii", "iv"})
    digits = 1 if variant.is_lite else 2
    assert f"PCKh@50 {variant.reported.pckh50:.{digits}f}, PCKh@10 {variant.reported.pckh10:.{digits}f}" in text
    assert ("authors' repository" if variant.is_lite else "from the paper") in text
    assert f"efficientpose convert {released_file(variant.name).name} -o" in text


@pytest.mark.parametrize("name", ["rt", "i", "ii"])
def test_lite_config_differs_in_model_and_input_scale_alone(name):
    lite = Config.fromfile(mpii_config_path(f"{name}_lite")).to_dict()
    full = Config.fromfile(mpii_config_path(name)).to_dict()
    for config in (lite, full):
        del config["backbone"], config["head"]  # what the variant's file defines; in the model as well
    del lite["data_preprocessor"]
    preprocessing = lite["model"].pop("data_preprocessor")
    assert [preprocessing.pop(key) for key in ("mean", "std")] == [[127.5] * 3] * 2
    assert preprocessing.items() <= full["model"].pop("data_preprocessor").items()
    head, full_head = lite["model"].pop("head"), full["model"].pop("head")
    assert (head.pop("act_cfg"), head.pop("with_squeeze_excite")) == (dict(type="ReLU6"), False)
    assert (head.pop("in_channels"), full_head.pop("in_channels") > 0) == (head["channels"], True)
    assert head == full_head
    assert lite["model"].pop("backbone").keys() == {"type", "high_arch"}
    assert full["model"].pop("backbone")["type"] == "DualEfficientNet"
    assert lite == full


@pytest.mark.parametrize("name", ABLATIONS)
def test_ablation_s_docstring_has_a_command_and_the_paper_s_scores(name):
    pckh50, pckh10, _ = ABLATIONS[name]
    full50, full10 = FULL[name.split("_")[0]]
    text = " ".join(docstring(ablation_path(name)).split())
    assert f"python tools/train.py configs/ablations/efficientpose_{name}_mpii.py" in text
    assert re.search(rf"{pckh50:.2f} / {pckh10:.2f}.* {full50:.2f} / {full10:.2f} for the full network", text)


@pytest.mark.parametrize("change", RT_CHANGES)
def test_ablation_of_rt_changes_what_that_of_i_does(change):
    def what_differs(variant):
        full = Config.fromfile(mpii_config_path(variant)).model
        ablation = Config.fromfile(ablation_path(f"{variant}_{change}")).model
        assert {key for key in full if ablation[key] != full[key]} == {"head"}
        decoders = ablation.head.pop("decoder"), full.head.pop("decoder")
        return [
            {key: ours.get(key) for key in ours if ours.get(key) != theirs.get(key, "default")}
            for ours, theirs in ((ablation.head, full.head), decoders)
        ]

    assert what_differs("rt") == what_differs("i") != [{}, {}]


@pytest.mark.parametrize("name", [*ABLATIONS, *(f"rt_{change}" for change in RT_CHANGES)])
def test_ablation_differs_from_its_variant_in_the_model_alone(name):
    full = Config.fromfile(mpii_config_path(name.split("_")[0])).to_dict()
    ablation = Config.fromfile(ablation_path(name)).to_dict()
    assert full.pop("model") != ablation.pop("model")
    assert (full["train_cfg"].pop("max_epochs"), ablation["train_cfg"].pop("max_epochs")) == (200, 100)
    assert ablation == full


@pytest.mark.parametrize("name", ["rt", "i"])
def test_synthetic_config_differs_in_data_length_and_start_alone(name):
    synthetic = Config.fromfile(config_path(f"efficientpose_{name}_synthetic.py")).to_dict()
    full = Config.fromfile(mpii_config_path(name)).to_dict()
    for config in (full, synthetic):
        del config["data_root"]
        for loader in ("train", "val", "test"):
            del config[f"{loader}_dataloader"]["dataset"]["data_root"]
        for loader in ("val", "test"):
            del config[f"{loader}_dataloader"]["dataset"]["headbox_file"]
        for key in ("max_epochs", "val_interval"):
            del config["train_cfg"][key]
        pop_starts(config["model"])
    assert synthetic == full


@pytest.mark.parametrize(
    ("name", "variant"), [each for each in OTHERS if each[1]], ids=[each for each, _ in OTHERS[:-1]]
)
def test_other_config_trains_the_network_of_its_name(name, variant):
    model, full = (Config.fromfile(path).model for path in (config_path(name), mpii_config_path(variant)))
    model.pop("init_cfg", None)
    assert set(pop_starts(model).values()) == {None}  # from random weights, or from a whole network's
    pop_starts(full)
    assert model == full
    text = docstring(config_path(name))
    assert f"python tools/train.py configs/{name}" in text or "make starter" in text
    assert re.search(r"\b[Ee]xpected", text)


def test_allround_trains_rt_on_smaller_crops_of_both_data_sets():
    config, full = Config.fromfile(config_path("efficientpose_rt_allround.py")), Config.fromfile(mpii_config_path("rt"))
    assert config.model.pop("init_cfg") == dict(type="Pretrained", checkpoint="efficientpose://rt")
    assert set(pop_starts(config.model).values()) == {None}
    pop_starts(full.model)
    full.model.head.decoder.input_size = (192, 192)
    assert config.model == full.model
    datasets = [*config.train_dataloader.dataset.datasets, config.val_dataloader.dataset]
    crops = [step for dataset in datasets for step in dataset.pipeline if step.type == "AntialiasedAffine"]
    assert [tuple(crop.input_size) for crop in crops] == [(192, 192)] * 4
    roots = [dataset.data_root for dataset in config.train_dataloader.dataset.datasets]
    assert roots == ["data/lspet/", "data/mpii_sports/", "data/mpii_sports/"]


def test_openpose_differs_from_ii_in_model_and_length_alone():
    config, other = Config.fromfile(config_path("openpose_mpii.py")), Config.fromfile(mpii_config_path("ii"))
    assert tuple(config.crop.input_size) == tuple(config.model.head.decoder.input_size) == OPENPOSE.input_size
    assert config.train_cfg.max_epochs == 400
    other.train_cfg.max_epochs = 400
    for each in (config, other):
        del each.model["backbone"], each.model["neck"], each.model["head"]
    shared = config.keys() & other.keys()
    assert {key for key in shared if config[key] != other[key]} == set()
    assert other.keys() - shared == {"backbone", "head"}  # the variant's facts
    text = docstring(config_path("openpose_mpii.py"))
    assert "python tools/train.py configs/openpose_mpii.py\n" in text
    assert f"PCKh@50 {OPENPOSE.reported.pckh50}, PCKh@10 {OPENPOSE.reported.pckh10}" in text


def test_narrow_baselines_differ_in_the_network_alone():
    ours, openpose = (Config.fromfile(config_path(f"baselines/{name}_narrow_sports.py")) for name in NARROW)
    assert {key for key in ours.keys() | openpose.keys() if ours.get(key) != openpose.get(key)} == {"model"}
    assert ours.train_dataloader.dataset.ann_file == "annotations/mpii_fit.json"
    assert ours.val_dataloader.dataset.ann_file == "annotations/mpii_holdout.json"
    full = Config.fromfile(config_path("openpose_mpii.py")).model
    assert openpose.model.head.decoder.pop("input_size") != full.head.decoder.pop("input_size")
    assert openpose.model.backbone == dict(type="OpenPoseVGG", base_channels=64 // 4)
    assert openpose.model.head == full.head | dict(in_channels=128 // 4, channels=128 // 4)


def test_recipe_says_what_is_not_the_paper_s_and_how_to_synchronise_batch_norms():
    text = " ".join(docstring(config_path("_base_/schedule.py")).split())
    assert "no batch size: 16 is ours, as are momentum 0.9, Nesterov's, weight decay and clipping" in text
    assert "--cfg-options sync_bn=torch" in text


def test_recipe_is_the_paper_s():
    config = Config.fromfile(mpii_config_path("iv"))
    assert config.train_cfg.max_epochs == 200
    (scheduler,) = config.param_scheduler
    assert (scheduler.type, scheduler.cycle, scheduler.by_epoch) == ("DecayingTriangularLR", 3, True)
    assert config.optim_wrapper.optimizer.type == "SGD"
    assert "sigma_start" not in scheduler  # Eq. 5 speaks of the sigmas that the targets have
    assert config.default_hooks.sigma.sigma_end == 0.05
    (flip, transform) = (step for step in config.train_dataloader.dataset.pipeline if step.type.startswith("Random"))
    assert flip.direction == "horizontal"
    assert (transform.scale_factor, transform.rotate_factor, transform.rotate_prob) == ((0.75, 1.25), 45.0, 1.0)


@pytest.mark.parametrize("name", ABLATIONS)
def test_number_of_parameters_is_the_paper_s_within_its_rounding(name):
    """Counts parameters and batch-norm statistics with the dense upsampling, as the paper's table does.

    The deployed graph is counted, without the earlier passes' prediction convolutions, but for "without upscaling",
    which fits the table only with all predictions (variant II has 1.72M otherwise).

    "Without PAF pass" is 6C · M0 weights short of the table: 0.524M in variant I and 1.241M in II. The paper's first
    heatmap pass then reads the cross-resolution features twice, the second time in the place of the PAF pass's. A
    convolution of the same features twice can do no more than of once.
    """
    config = Config.fromfile(ablation_path(name))
    if config.model.head.get("upsampling", "bilinear") == "bilinear":
        config.model.head.upsampling = "transposed_conv"
    network = build(config)
    number = count(network)
    if "no_upscaling" not in name:
        number -= sum(count(each.predict) for each in network.head.passes[:-1])
    if "no_paf" in name:
        number += 6 * get_variant(name.split("_")[0]).channels * network.head.in_channels
    assert number == pytest.approx(ABLATIONS[name][2] * 1e6, abs=0.005e6)


@pytest.mark.parametrize(
    ("name", "num_passes", "has_pafs", "has_full_heatmaps", "num_branches"),
    [
        ("no_low_level", 2, True, True, 1),
        ("no_paf", 2, False, True, 2),
        ("one_pass", 1, True, True, 2),
        ("three_passes", 3, True, True, 2),
        ("no_upscaling", 2, True, False, 2),
    ],
)
@pytest.mark.parametrize("variant", FULL)
def test_ablation_leaves_out_or_adds_what_its_name_says(
    variant, name, num_passes, has_pafs, has_full_heatmaps, num_branches
):
    network = build(Config.fromfile(ablation_path(f"{variant}_{name}")))
    assert len(network.head.heatmap_passes) == num_passes
    assert (network.head.paf_pass is not None) == has_pafs
    assert (network.head.upsampler is not None) == has_full_heatmaps
    assert len(network.backbone.branches) == num_branches


@pytest.mark.parametrize(
    ("part", "misspelt"),
    [
        ("head", dict(num_keypointz=3)),
        ("backbone", dict(low_architecture="b0")),
        ("neck", dict(channels=3)),
        ("head.decoder", dict(sigmas=0.1)),
    ],
)
def test_misspelt_model_key_fails(part, misspelt):
    config = Config.fromfile(mpii_config_path("rt"))
    config.merge_from_dict({f"model.{part}.{key}": value for key, value in misspelt.items()})
    with pytest.raises(TypeError, match=next(iter(misspelt))):
        build(config)


@pytest.mark.parametrize("loader", ["train_dataloader", "val_dataloader"])
def test_misspelt_dataset_key_fails(loader):
    dataset = Config.fromfile(mpii_config_path("rt"))[loader].dataset
    init_default_scope("mmpose")
    with pytest.raises(TypeError, match="ann_files"):
        DATASETS.build(dataset | dict(ann_files="mpii.json"))


def test_there_is_no_other_config():
    with pytest.raises(FileNotFoundError, match=r"efficientpose_v_mpii\.py: no such config; see .*configs"):
        mpii_config_path("v")
