"""Pictures at another size."""

from __future__ import annotations

import numpy as np

from lgvsc_flow.models import import_extra

__all__ = ["shrink"]


def shrink(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize uint8 [h, w, 3] by area averaging (linear where it grows) to [height, width, 3].

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    cv2 = import_extra("cv2", "resizing pictures", "video", "opencv-python-headless")
    h, w = pixels.shape[:2]
    method = cv2.INTER_AREA if width <= w and height <= h else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method))
