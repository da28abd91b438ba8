"""EfficientPose RT on MPII, distilled from the released II: its part affinity fields and heatmaps beside the targets.

    python tools/train.py configs/efficientpose_rt_distilled_mpii.py
    python tools/test.py configs/efficientpose_rt_mpii.py work_dirs/efficientpose_rt_distilled_mpii/epoch_200.pth

The checkpoints are RT's, without the teacher. Another teacher, or another share of it:

    --cfg-options model.teacher=iv
    --cfg-options model.teacher=my_config.py model.teacher_checkpoint=my_checkpoint.pth
    --cfg-options model.teacher_share=0.9

Expected: no published score. IV teaches best; a step then takes 28 times the arithmetic, with II 4 times.
"""

_base_ = ["efficientpose_rt_mpii.py"]

model = dict(type="PoseMapDistiller", teacher="ii", teacher_share=0.5)
