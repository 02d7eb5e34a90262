"""The report on a batch: which models it is held against."""

from __future__ import annotations

import pytest

from starpoly.errors import ModelError
from starpoly.report.batch import specs_for
from starpoly.report.entries import Entry


def test_shipped_models_are_known_by_name_and_no_path_is_opened(tmp_path):
    entries = [Entry("a", model="nuclei-fluo"), Entry("b", model=str(tmp_path)), Entry("c")]
    assert list(specs_for(entries)) == ["nuclei-fluo"]


def test_the_model_that_is_asked_for_is_the_only_one():
    assert list(specs_for([Entry("a", model="nuclei-fluo")], "cells-generalist")) == ["cells-generalist"]
    with pytest.raises(ModelError, match="no such model"):
        specs_for([], "nothing-of-the-kind")
