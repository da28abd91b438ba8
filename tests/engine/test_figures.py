"""Figures are written whole or not at all."""

import cv2
import pytest
from matplotlib.figure import Figure

from efficientpose.engine.figures import save_figure


def test_figures_are_saved_whole_or_not_at_all(tmp_path):
    figure = Figure(figsize=(2, 1))
    save_figure(figure, tmp_path / "new" / "figure.PNG")
    assert cv2.imread(str(tmp_path / "new" / "figure.PNG")).shape == (150, 300, 3)
    with pytest.raises(ValueError, match=r"figure\.xyz: figures end in one of .*png.*; try .*figure\.png"):
        save_figure(figure, tmp_path / "new" / "figure.xyz")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["figure.PNG"]
