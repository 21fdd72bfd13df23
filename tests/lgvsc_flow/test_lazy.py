import pytest

from lgvsc_flow.lazy import exports


def test_names_are_listed_and_imported_when_used():
    get, names, public = exports("lgvsc_flow", {"items": ["Frame"], "engines.wire": ["Wait", "Wire"]})
    assert public == names() == ["Frame", "Wait", "Wire"]
    assert get("Wire").__name__ == "Wire"
    with pytest.raises(AttributeError, match="module 'lgvsc_flow' has no attribute 'Nothing'"):
        get("Nothing")
