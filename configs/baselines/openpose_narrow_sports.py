"""OpenPose at a quarter of its width, on the data and by the recipe of ``efficientpose_ii_narrow_sports.py``.

    python tools/train.py configs/baselines/openpose_narrow_sports.py

Expected, PCK@0.2 of the torso on the 186 people held out, after the first of the two epochs, seeds 0 and 1: 19.1 and
18.7 for OpenPose (1.67M parameters, 0.31 GFLOPs), 11.8 and 11.8 for EfficientPose II (0.51M, 0.07), in 100 CPU seconds
each. The paper's faster convergence of EfficientPose is not seen in these 184 steps: both have hardly begun, and
EfficientPose's batch norms average their statistics over more steps than that. The second epoch was not run.
"""

_base_ = ["efficientpose_ii_narrow_sports.py"]

model = dict(
    backbone=dict(_delete_=True, type="OpenPoseVGG", base_channels=16),
    neck=None,
    head=dict(
        in_channels=32,
        channels=32,
        num_blocks=5,
        num_paf_passes=4,
        architecture="openpose",
        upsampling=None,
        decoder=dict(blur_sigma=0.0),
    ),
)
