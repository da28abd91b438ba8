"""OpenPose at a quarter of its width, on the data and by the recipe of ``efficientpose_ii_narrow_sports.py``.

    python tools/train.py configs/baselines/openpose_narrow_sports.py

Expected: no score was measured.
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
