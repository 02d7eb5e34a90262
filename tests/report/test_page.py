"""The page: self-contained, flagged images first, and safe whatever the files are called."""

from __future__ import annotations

import base64
import html.parser
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig, Thresholds
from starpoly.io.console import printable
from starpoly.io.readers.images import read_image
from starpoly.io.writers.label_tiff import write_labels
from starpoly.io.writers.table import write_table
from starpoly.labels.measurements import measure
from starpoly.report.entries import Entry
from starpoly.report.examine import examine_all
from starpoly.report.html import link_to
from starpoly.report.page import write_page

from support.examples import with_discs

SPEC = ModelSpec("known", NetworkConfig(), 99.0, Thresholds(0.5, 0.4), object_diameter=(5.0, 10.0, 20.0))
HOSTILE = "</script><img src=x onerror=alert(1)>&\"' \u202egnp\n"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Reader(html.parser.HTMLParser):
    """The tags and the data of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._inside = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = dict(attributes).get("id", tag)

    def handle_data(self, data):
        self.texts[self._inside] = self.texts.get(self._inside, "") + data

    @property
    def page(self):
        return json.loads(self.texts["data"])


def make_entry(folder, name, labels, scores=None, **more):
    """An image, its labels and, with scores, its table."""
    from PIL import Image

    stem = f"{len(list(folder.iterdir()))}"
    image = folder / f"{stem}.png"
    Image.fromarray(np.where(labels > 0, 200, 20 + np.indices(labels.shape).sum(0) % 9).astype(np.uint8)).save(image)
    write_labels(folder / f"{stem}_label.tiff", labels)
    table = None
    if scores is not None:
        table = folder / f"{stem}_table.csv"
        write_table(table, measure(labels) | {"score": scores})
    return Entry(name, folder / f"{stem}_label.tiff", image, None, table, **more)


def write(folder, entries, spec=SPEC):
    specs = {spec.name: spec} if spec else {}
    write_page(folder / "report.html", examine_all(entries, specs), specs)
    return Reader((folder / "report.html").read_text(encoding="utf-8"))


def test_flagged_images_come_first(tmp_path):
    discs = with_discs((60, 60), (12, 12, 5), (12, 40, 5), (40, 12, 5), (40, 40, 5))
    border = with_discs((60, 60), (0, 12, 5), (0, 40, 5), (59, 12, 5), (40, 40, 5))
    entries = [
        make_entry(tmp_path, "a good", discs, [0.9, 0.9, 0.9, 0.51]),
        make_entry(tmp_path, "b at the border", border, [0.9] * 4),
        make_entry(tmp_path, "c large", with_discs((60, 60), (30, 30, 25)), [0.9]),
        make_entry(tmp_path, "d empty", np.zeros((60, 60), int), []),
        make_entry(tmp_path, "e unsure", discs, [0.53, 0.52, 0.9, 0.51]),
        Entry("f failed", problem="a problem"),
        make_entry(tmp_path, "g said", discs, [0.9] * 4, warnings=("something",)),
    ]
    rows = write(tmp_path, entries).page["rows"]
    assert [(row["name"], row["flags"]) for row in rows] == [
        ("f failed", ["failed"]),
        ("d empty", ["no objects"]),
        ("c large", ["unlike training"]),
        ("b at the border", ["border"]),
        ("e unsure", ["low scores"]),
        ("g said", ["warning"]),
        ("a good", []),
    ]
    by_name = {row["name"][0]: row for row in rows}
    assert by_name["f"]["said"] == ["a problem"]
    assert by_name["g"]["said"] == ["something"]
    assert (by_name["a"]["objects"], by_name["a"]["border"], by_name["a"]["low"]) == (4, 0, 0.25)
    assert by_name["b"]["border"] == 0.75
    assert by_name["a"]["score"] == pytest.approx(0.9)
    assert by_name["a"]["diameter"] == pytest.approx(2 * np.sqrt(81 / np.pi), abs=1e-3)


def test_constant_images_are_flagged(tmp_path):
    from PIL import Image

    entry = make_entry(tmp_path, "flat", np.zeros((40, 50), int))
    Image.fromarray(np.full((40, 50), 7, np.uint8)).save(entry.image)
    assert write(tmp_path, [entry]).page["rows"][0]["flags"] == ["no objects", "constant"]


def test_page_needs_nothing_from_elsewhere(tmp_path):
    reader = write(tmp_path, [make_entry(tmp_path, "a", with_discs((60, 60), (30, 30, 5)), [0.9])])
    for _, attributes in reader.tags:
        assert not {"src", "href", "srcset", "style"} & set(attributes)
    page = reader.page
    assert all(source.startswith("data:image/png;base64,") for _, source in page["figures"])
    assert page["rows"][0]["thumbnail"].startswith("data:image/jpeg;base64,")
    assert page["totals"] == [["images", 1, False], ["objects", 1, False], ["flagged", 0, False]]
    assert page["about"].endswith("model known")


def test_thumbnails_show_the_image_with_outlines(tmp_path):
    labels = with_discs((576, 288), (288, 144, 96))
    reader = write(tmp_path, [make_entry(tmp_path, "a", labels)])
    (tmp_path / "t.jpg").write_bytes(base64.b64decode(reader.page["rows"][0]["thumbnail"].partition(",")[2]))
    picture = read_image(tmp_path / "t.jpg").astype(int)
    assert picture.shape == (192, 96, 3)
    coloured = np.ptp(picture, axis=2) > 60
    assert coloured[96, 14:18].any()
    assert not coloured[96, 40:60].any()


def test_policy_lets_its_own_script_and_style_through_alone(tmp_path):
    import hashlib

    text = tmp_path / "report.html"
    write(tmp_path, [Entry("x", problem="y")])
    text = text.read_text(encoding="utf-8")
    policy = re.search(r'content="(default-src[^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("style", "script"):
        (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_hostile_names_are_text(tmp_path):
    entry = make_entry(tmp_path, HOSTILE, with_discs((60, 60), (30, 30, 5)), warnings=(HOSTILE,))
    reader = write(tmp_path, [entry, Entry("\udcff", problem=HOSTILE)])
    assert [tag for tag, _ in reader.tags if tag in ("script", "img", "iframe")] == ["script", "script"]
    names = [row["name"] for row in reader.page["rows"]]
    assert names == ["\\udcff", "</script><img src=x onerror=alert(1)>&\"' \\u202egnp\\n"]


def test_what_is_not_to_be_seen_is_escaped():
    assert printable("Zähl ung\t\x1b[2J") == "Zähl ung\\t\\x1b[2J"
    assert printable("細胞 1.tif") == "細胞 1.tif"


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("a b.png", "./a%20b.png"),
        ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
        ("#?&.png", "./%23%3F%26.png"),
        ("sub/ä.png", "./sub/%C3%A4.png"),
        ("../elsewhere.png", None),
    ],
)
def test_links_stay_in_the_folder(tmp_path, name, link):
    assert link_to(tmp_path / name, tmp_path) == link


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_browser_shows_every_row_and_runs_nothing_foreign(tmp_path):
    labels = with_discs((60, 60), (30, 30, 5))
    write(
        tmp_path,
        [make_entry(tmp_path, HOSTILE, labels, [0.9]), *(make_entry(tmp_path, f"image {k}", labels) for k in range(3))],
    )
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
    ]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    url = (tmp_path / "report.html").as_uri()
    done = subprocess.run(
        [CHROMIUM, *flags, url], capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(tmp_path)}
    )
    body = done.stdout[done.stdout.index("<tbody>") : done.stdout.index("</tbody>")]
    assert body.count("<tr>") == 4
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in body
    assert not re.search('<img(?! alt="" src="data:)', body)
    assert "4 of 4 images" in done.stdout


def test_models_are_told_apart_where_there_are_several(tmp_path):
    entries = [
        make_entry(tmp_path, name, with_discs((60, 60), (30, 30, 5)), model=model)
        for name, model in (("a", "one"), ("b", "two"))
    ]
    page = write(tmp_path, entries).page
    assert page["several_models"]
    assert {row["name"]: row["model"] for row in page["rows"]} == {"a": "one", "b": "two"}
    assert not write(tmp_path, entries[:1]).page["several_models"]


def test_a_page_of_many_images_has_thumbnails_of_some(tmp_path, monkeypatch):
    monkeypatch.setattr("starpoly.report.examine.MOST_THUMBNAILS", 2)
    discs = with_discs((60, 60), (12, 12, 5), (12, 40, 5), (40, 12, 5), (40, 40, 5))
    entries = [make_entry(tmp_path, f"{n} good", discs, [0.9] * 4) for n in range(3)]
    entries += [make_entry(tmp_path, f"{n} empty", np.zeros((60, 60), int)) for n in range(3)]
    rows = write(tmp_path, entries).page["rows"]
    assert len(rows) == 6
    assert [bool(row["thumbnail"]) for row in sorted(rows, key=lambda row: row["name"])] == [True, True] * 2 + [
        False
    ] * 2
