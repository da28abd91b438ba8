"""PCKh, exact to the pixel, and what was found of several people."""

from efficientpose.evaluation.pckh_metric import PCKh
from efficientpose.evaluation.people_metric import PeopleMetric

__all__ = ["PCKh", "PeopleMetric"]
