"""Importing this module registers everything with MMPose; configs name it in ``custom_imports``.

Import it before ``mmpose.apis``: where MMCV came without compiled operators, MMPose can only be imported afterwards.
"""

from efficientpose.compiled_ops import install_placeholder

install_placeholder()

import efficientpose.codecs  # noqa: E402
import efficientpose.custom_skeletons  # noqa: E402
import efficientpose.datasets.mpii  # noqa: E402
import efficientpose.datasets.scenes  # noqa: E402
import efficientpose.datasets.transforms  # noqa: E402
import efficientpose.engine  # noqa: E402
import efficientpose.evaluation  # noqa: E402
import efficientpose.models  # noqa: E402
import efficientpose.weights.scheme  # noqa: E402, F401
