"""RT with a head of 16 channels instead of 40, a third of its weights, distilled from RT on synthetic people.

    python tools/train.py configs/efficientpose_rt_synthetic.py
    python tools/train.py configs/efficientpose_rt_distilled_synthetic.py

The same student without a teacher, with the same random numbers, for comparison:

    python tools/train.py configs/efficientpose_rt_distilled_synthetic.py \
        --cfg-options model.teacher_share=0 --work-dir work_dirs/efficientpose_rt_untaught_synthetic

Expected: PCKh@50 / @10 of 47.4 / 6.2 after 3 epochs, and 46.2 / 5.7 without a teacher (one seed each).

A step takes 1.4 times as long with the teacher, and either about half of RT's. The checkpoints are plain ones of
``efficientpose_rt_synthetic.py`` with ``model.head.channels=16``.
"""

_base_ = ["efficientpose_rt_synthetic.py"]

model = dict(
    type="PoseMapDistiller",
    teacher="rt",
    teacher_checkpoint="work_dirs/efficientpose_rt_synthetic/epoch_36.pth",
    teacher_share=0.5,
    head=dict(channels=16),
)

train_cfg = dict(max_epochs=6, val_interval=3)
