"""What the pictures show; how they look was looked at."""

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from efficientpose.engine.divergence import RangeCurve
from efficientpose.engine.plots import draw_curves, draw_rate_range, draw_schedules, save_figure
from efficientpose.engine.schedule_replay import Schedules
from efficientpose.engine.training_logs import Curve


def texts(axes):
    return [each.get_text() for each in axes.texts]


def make_schedules(**changes):
    settings = dict(
        rates=np.array([0.001, 0.1, 0.01, 0.02]), sigmas=np.array([0.2, 0.05]), epoch_length=2, limit=0.0125
    )
    return Schedules(**settings | changes)


def test_schedules_are_drawn_over_epochs_with_their_marks():
    rate_axes, sigma_axes = draw_schedules(make_schedules(), title="RT").axes
    assert rate_axes.get_title() == "RT"
    assert rate_axes.get_yscale() == "log"
    assert rate_axes.lines[0].get_xdata().tolist() == [0, 0.5, 1, 1.5]
    assert rate_axes.lines[0].get_ydata().tolist() == [0.001, 0.1, 0.01, 0.02]
    assert [line.get_ydata()[0] for line in rate_axes.lines[1:]] == [0.1, 0.0125]
    assert texts(rate_axes) == [r"$\lambda_{max}$ = 0.1", r"$\lambda_\infty$ = 0.0125"]
    assert sigma_axes.patches[0].get_data().values.tolist() == [0.2, 0.05]
    assert texts(sigma_axes) == ["0.2", "0.05"]
    assert sigma_axes.get_xlabel() == "epoch (2 steps each)"
    assert sigma_axes.get_xlim() == (0, 2)


def test_a_rate_that_ends_next_to_nothing_keeps_the_picture_legible():
    (axes,) = draw_schedules(make_schedules(rates=np.array([0.1, 1e-12]), sigmas=None, limit=None), title="").axes
    assert axes.get_ylim()[0] > 1e-7
    assert texts(axes) == [r"$\lambda_{max}$ = 0.1"]
    (axes,) = draw_schedules(make_schedules(sigmas=None, limit=None), title="").axes
    assert texts(axes) == [r"$\lambda_{max}$ = 0.1", "last: 0.02"]


def make_curve(**changes):
    settings = dict(
        rates=[0.01, 0.1, 1.0, 10.0],
        losses=[4.0, 2.0, 1.0, float("nan")],
        smoothed=[4.0, 3.0, 2.0, float("inf")],
        max_rate=0.1,
        diverged=True,
        divergence_factor=2.0,
    )
    return RangeCurve(**settings | changes)


def test_the_range_is_drawn_over_the_rate_with_its_marks():
    (axes,) = draw_rate_range(make_curve(), title="RT").axes
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_xdata().tolist() == [0.01, 0.1, 1.0]
    assert axes.lines[1].get_ydata().tolist() == [4.0, 3.0, 2.0, float("inf")]
    assert [line.get_xdata()[0] for line in axes.lines[2:]] == [0.1, 10.0]
    assert texts(axes) == [r"$\lambda_{max}$ = 0.1", "diverged at 10"]
    bottom, top = axes.get_ylim()
    assert bottom < 2 < 4 < top < 5
    assert texts(draw_rate_range(make_curve(diverged=False), title="").axes[0]) == [r"$\lambda_{max}$ = 0.1"]


def test_curves_are_one_panel_a_key_and_one_colour_a_run():
    curve, other = Curve([0.0, 1.0], [3.0, 2.0]), Curve([1.0], [50.0])
    more = {"y": [("a", curve)], "z": [("a", curve)]}
    figure = draw_curves({"loss": [("a", curve), ("b", curve)], "x": [("b", other)], **more}, x_label="epoch")
    loss, score, *_, unused = figure.axes
    assert [axes.get_title() for axes in (loss, score)] == ["loss", "x"]
    assert [line.get_label() for line in loss.lines] == ["a", "b"]
    assert loss.lines[0].get_xydata().tolist() == [[0, 3], [1, 2]]
    assert score.lines[0].get_color() == loss.lines[1].get_color() != loss.lines[0].get_color()
    assert loss.get_xlabel() == "epoch"
    assert loss.get_xlim() == score.get_xlim() == (0, pytest.approx(1.02))
    assert not unused.get_visible()


def test_figures_are_saved_whole_or_not_at_all(tmp_path):
    figure = Figure(figsize=(2, 1))
    save_figure(figure, tmp_path / "new" / "picture.PNG")
    assert cv2.imread(str(tmp_path / "new" / "picture.PNG")).shape == (150, 300, 3)
    with pytest.raises(ValueError, match=r"picture\.xyz: pictures end in one of .*png.*; try .*picture\.png"):
        save_figure(figure, tmp_path / "new" / "picture.xyz")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["picture.PNG"]
