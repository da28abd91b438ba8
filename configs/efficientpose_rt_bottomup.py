"""EfficientPose RT on scenes of several people: part affinity fields grouped (Groos et al. 2020, Cao et al. 2017).

The checkpoint is the one of configs/efficientpose_rt_mpii.py. In Python, any machine:
    model = mmpose.apis.init_model("configs/efficientpose_rt_bottomup.py", "efficientpose_rt_mpii.pth", device="cpu")
    samples = mmpose.apis.inference_bottomup(model, "scene.jpg")

The scene's shorter side is scaled to ``shorter_side`` pixels; people should then be 150 to 250 pixels tall.
Expected: no published score. tools/analysis/people_scenes.py measures it.
"""

_base_ = ["efficientpose_rt_mpii.py"]

shorter_side = 288
model = dict(type="PafPoseEstimator")

test_pipeline = [
    dict(type="LoadImage"),
    dict(type="BottomupResize", input_size=(shorter_side, shorter_side), size_factor=8, resize_mode="expand"),
    dict(
        type="PackPoseInputs",
        meta_keys=("img_path", "ori_shape", "img_shape", "input_size", "input_center", "input_scale", "flip_indices"),
    ),
]
data_mode = "bottomup"
test_dataloader = dict(batch_size=1, dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
