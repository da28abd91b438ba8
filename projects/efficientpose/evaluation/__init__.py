"""PCKh, exact to the pixel."""

from efficientpose.evaluation.pckh_metric import PCKh

__all__ = ["PCKh"]
