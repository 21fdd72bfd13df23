import pytest

import lgvsc_flow.blocks.metrics as metrics


@pytest.mark.parametrize("name", metrics.__all__)
def test_every_public_name_imports(name: str) -> None:
    assert getattr(metrics, name).__name__ == name


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = metrics.Nothing
