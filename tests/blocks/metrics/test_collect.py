import numpy as np
import pytest

import lgvsc_flow.blocks.metrics as metrics
from lgvsc_flow.blocks.metrics import Collect, CollectBits
from lgvsc_flow.items import Caption
from lgvsc_flow.testing import run_block


def test_keeps_the_first_items_and_counts_the_rest() -> None:
    sink = CollectBits(limit=2)
    assert sink.items == []
    run_block(sink, [np.full(3, i, np.uint8) for i in range(2)] + [np.ones(1, np.uint8)])
    assert [i.tolist() for i in sink.items] == [[0, 0, 0], [1, 1, 1]]
    assert sink.count == 3


def test_any_record() -> None:
    sink = Collect()
    item = Caption(0, "a street")
    run_block(sink, [item])
    assert sink.items == [item]


@pytest.mark.parametrize("name", metrics.__all__)
def test_every_public_name_imports(name: str) -> None:
    assert getattr(metrics, name).__name__ == name


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = metrics.Nothing
