"""EfficientPose RT on scenes of several people: part affinity fields grouped (Groos et al. 2020, Cao et al. 2017).

The checkpoint is the one of configs/efficientpose_rt_mpii.py, or of efficientpose_rt_crowd.py. In Python, any machine:
    model = mmpose.apis.init_model("configs/efficientpose_rt_bottomup.py", "efficientpose_rt_mpii.pth", device="cpu")
    samples = mmpose.apis.inference_bottomup(model, "scene.jpg")

Scored on synthetic scenes, or on your own in COCO's format with MPII's 16 keypoints:
    python tools/make_synthetic_crowd.py --out data/synthetic_crowd --train 1500 --val 150 --seed 0 --workers 2
    python tools/test.py configs/efficientpose_rt_bottomup.py efficientpose_rt_mpii.pth

The scene's shorter side is scaled to ``shorter_side`` pixels; people should then be 150 to 250 pixels tall.
Expected: no published score. tools/analysis/people_scenes.py measures it on other scenes.
"""

_base_ = ["efficientpose_rt_mpii.py"]

shorter_side = 288
input_size = (320, 320)  # in training, a window of a scene
sigma = 0.035  # of the window: as wide on people as 0.05 of the 224 pixels of a crop
model = dict(type="PafPoseEstimator", head=dict(decoder=dict(input_size=input_size, sigma=sigma)))

train_pipeline = [
    dict(type="LoadImage"),
    dict(type="RandomFlip", direction="horizontal"),
    dict(type="SceneWindow", input_size=input_size, person_size=(110, 280)),
    dict(type="PackPoseInputs", pack_transformed=True),
]
test_pipeline = [
    dict(type="LoadImage"),
    dict(type="BottomupResize", input_size=(shorter_side, shorter_side), size_factor=8, resize_mode="expand"),
    dict(
        type="PackPoseInputs",
        meta_keys=(
            *("id", "img_id", "img_path", "ori_shape", "img_shape", "input_size", "input_center", "input_scale"),
            *("flip_indices", "raw_ann_info"),
        ),
    ),
]
data_mode = "bottomup"
dataset_type = "PeopleDataset"
data_root = "data/synthetic_crowd/"
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        data_mode=data_mode,
        ann_file="annotations/crowd_train.json",
        data_prefix=dict(img="images/"),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        data_mode=data_mode,
        ann_file="annotations/crowd_val.json",
        data_prefix=dict(img="images/"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = [dict(type="PeopleMetric"), dict(type="CocoMetric", nms_mode="none", score_mode="bbox")]
test_evaluator = val_evaluator
default_hooks = dict(
    checkpoint=dict(save_best="people/joint_f1", rule="greater"),
    sigma=dict(sigma_start=3 * sigma, sigma_end=sigma),
)
