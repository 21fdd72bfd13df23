import pytest

from lgvsc_flow.blocks.semantic.choices import make_describer, make_judge
from lgvsc_flow.errors import SettingError


def test_unknown_names_are_refused():
    with pytest.raises(SettingError, match="describer is 'embedded' or an object with load and describe; got 'blip'"):
        make_describer("blip")
    with pytest.raises(SettingError, match="judge is 'embedded', 'minilm' or an object with load and judge; got 'gpt'"):
        make_judge("gpt")
