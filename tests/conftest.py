"""What all tests share: models are converted into a cache of their own, once for the whole run."""

import os
import shutil

import pytest

from lgvsc_flow.model_cache import CACHE_VARIABLE


@pytest.fixture(scope="session", autouse=True)
def cache_of_models(tmp_path_factory):
    """The cache's variable, set to a folder that goes away with the run; one that the user set is kept."""
    if os.environ.get(CACHE_VARIABLE):
        yield
        return
    place = tmp_path_factory.mktemp("cache")
    os.environ[CACHE_VARIABLE] = str(place)
    yield
    del os.environ[CACHE_VARIABLE]
    shutil.rmtree(place, ignore_errors=True)
