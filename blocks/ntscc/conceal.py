"""What a receiver shows in place of a keyframe that was lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["MODES", "Concealer"]

MODES = ("lost", "last", "mean")


class Concealer:
    """Gives a picture in the place of a lost keyframe, or None.

    Args:
        mode: `lost`: no picture. `last`: the last keyframe that came; before there is one, as `mean`. `mean`: what is
            to be expected of the picture: from the hyperprior where that came and the symbols did not, else what the
            networks expect when they know nothing.
    """

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self._last: np.ndarray | None = None
        self._blank: np.ndarray | None = None

    def arrived(self, pixels: np.ndarray) -> None:
        """Take note of a keyframe that came."""
        if self.mode != "lost":
            self._last = pixels

    def picture(
        self,
        size: tuple[int, int] | None,
        from_hyperprior: Callable[[], np.ndarray] | None,
        from_nothing: Callable[[int, int], np.ndarray],
    ) -> np.ndarray | None:
        """The picture for a keyframe that did not come.

        Args:
            size: height and width of the session's pictures. Where it is None they are those of the last keyframe that
                came; before there is one, no picture can be made of nothing.
            from_hyperprior: gives the picture that the hyperprior alone says; None where it is lost too.
            from_nothing: gives the picture that is to be expected of all pictures of a height and width.
        """
        if self.mode == "lost":
            return None
        if self.mode == "last" and self._last is not None:
            return self._last.copy()
        if from_hyperprior is not None:
            return from_hyperprior()
        if size is None and self._last is not None:
            size = self._last.shape[0], self._last.shape[1]
        if size is None:
            return None
        if self._blank is None or self._blank.shape[:2] != size:
            self._blank = from_nothing(*size)
        return self._blank.copy()
