"""Groups of images: rare ones are drawn more often."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.config import AugmentConfig, NetworkConfig, TrainingConfig
from starpoly.errors import ConfigError, DataError
from starpoly.training.data import Pair, TrainingData, array_pairs
from starpoly.training.groups import group_factors, object_weights, read_groups, with_groups, with_known_groups
from starpoly.training.patches import PatchSampler


def groups_of(names, groups, where):
    pairs = [Pair(name, lambda: np.eye(16), lambda: np.ones((16, 16), np.int32)) for name in names]
    return TrainingData(with_groups(pairs, groups, where)).groups


def table(path, *rows: str):
    path.write_text("\n".join(["name,group", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("balance", "factors"), [(0, [1, 1, 1, 1, 1]), (0.5, [1, 1, 1, 1, 2]), (1, [1, 1, 1, 1, 4])])
def test_an_image_counts_more_the_rarer_its_group(balance, factors):
    np.testing.assert_allclose(group_factors(["tissue"] * 4 + ["blood"], balance), factors)


@pytest.mark.filterwarnings("ignore:.*the mask holds no object")
@pytest.mark.parametrize(("balance", "share"), [(0, 1 / 8), (1, 1 / 2)])
def test_balanced_kinds_are_drawn_alike(balance, share):
    groups = ["empty"] * 7 + ["full"]
    labels = [np.zeros((40, 40), np.int32) for _ in groups]
    labels[-1][:] = 1
    data = TrainingData(array_pairs([np.eye(40)] * 8, labels))
    training = TrainingConfig(
        patch_size=(32, 32), batch_size=400, foreground=0.0, augment=AugmentConfig(warp_probability=0)
    )
    sampler = PatchSampler(
        data, np.full(8, 1600), NetworkConfig(n_rays=4, depth=1), training, group_factors(groups, balance)
    )
    full = sampler.batch(0)[1]["probability"][..., 0].max(axis=(1, 2)) > 0
    assert full.mean() == pytest.approx(share, abs=0.05)


def test_names_in_the_table_may_have_their_extension(tmp_path):
    groups = read_groups(table(tmp_path / "groups.csv", "a.tif,blood", "b,tissue", "b.5,tissue"))
    assert groups_of(["b", "a", "b.5"], groups, "groups.csv") == ["tissue", "blood", "tissue"]


@pytest.mark.parametrize(
    ("rows", "message"), [(["a,blood", "a,tissue"], "several for a"), (["b,blood"], r"got none for 1: a; add")]
)
def test_every_image_is_in_one_group(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        groups_of(["a"], read_groups(table(tmp_path / "groups.csv", *rows)), "groups.csv")


@pytest.mark.parametrize("text", ["name,what\na,b\n", "name,group\na\n", b"\x89PNG\r\n\x1a\n\0"])
def test_what_is_no_such_table(tmp_path, text):
    (tmp_path / "groups.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match="columns name and group"):
        read_groups(tmp_path / "groups.csv")


@pytest.mark.parametrize(
    ("text", "got"),
    [("filename,group\na,b\n", "the columns filename, group"), ("a.tif,fluo\nb.tif,he\n", "the columns a.tif, fluo"),
     ("name|group\na|b\n", r"the columns name\|group"), ("name,group\n", "no rows"), ("", "no rows")],
)  # fmt: skip
def test_what_a_wrong_table_has_is_said(tmp_path, text, got):
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(DataError, match=rf"expected a CSV table with the columns name and group, got {got}$"):
        read_groups(tmp_path / "groups.csv")


def test_names_with_folders_of_either_system_are_names(tmp_path):
    assert read_groups(table(tmp_path / "groups.csv", "C:\\data\\b.png,tissue", "in/a.tif,blood")) == {
        "b": "tissue",
        "a": "blood",
    }


def test_as_many_kinds_as_images():
    with pytest.raises(DataError, match="each of the 1 training images, got 2"):
        array_pairs([np.eye(16)], [np.ones((16, 16), np.int32)], groups=("a", "b"))
    with pytest.raises(ConfigError, match="group_balance: expected 0 to 1"):
        TrainingConfig(group_balance=2)


def test_a_column_kind_is_still_read(tmp_path):
    (tmp_path / "kinds.csv").write_text("name,kind\na,blood\n")
    assert read_groups(tmp_path / "kinds.csv") == {"a": "blood"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1))
def test_weighted_objects_of_every_group_are_as_many(images):
    groups, numbers = zip(*images, strict=True)
    weights = object_weights(groups, numbers)
    sums = {
        group: sum(w * n for g, n, w in zip(groups, numbers, weights, strict=True) if g == group) for group in groups
    }
    sums = [total for total in sums.values() if total]
    np.testing.assert_allclose(sums, sum(numbers) / max(len(sums), 1))


def test_pairs_of_which_some_have_no_group_get_none():
    pairs = array_pairs([np.zeros((4, 4))] * 2, [np.ones((4, 4), int)] * 2)
    names = [pair.name for pair in pairs]
    assert [pair.group for pair in with_known_groups(pairs, dict(zip(names, "ab", strict=True)))] == ["a", "b"]
    assert [pair.group for pair in with_known_groups(pairs, {names[0]: "a"})] == ["", ""]
