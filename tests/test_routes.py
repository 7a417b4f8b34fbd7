"""Routes beside the pages: pictures and scripts, and what they refuse."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from paging import get

from landslide_core import render
from landslide_core.folder import Run, open_run
from pages.parts import cached
from pages.parts.maps import features


class TestRoutes:
    @pytest.mark.parametrize("base", ["", "slides/app"])
    def test_leaflet_and_overlay(self, with_run: Path, base: str) -> None:
        root = f"/{base}" if base else ""
        status, body = get(f"{root}/leaflet/leaflet.js", base)
        assert (status, body[:12]) == (200, b"/* @preserve")
        status, body = get(f"{root}/overlay/tiny/true-colour.webp", base)
        assert (status, body[8:12]) == (200, b"WEBP")
        status, body = get(f"{root}/outlines/countries-50m.json", base)
        assert (status, json.loads(body)["type"]) == (200, "Topology")

    def test_all_backgrounds(self, with_run: Path) -> None:
        whole = open_run(with_run / "tiny")
        assert cached.backgrounds(whole) == list(cached.PICTURES)
        lacking = Run(whole.folder, {**whole.meta, "missing_bands": ["nir", "desc_vh_pre"]})
        assert cached.backgrounds(lacking) == ["true-colour", "desc-post", "asc-post", "asc-pre"]
        assert get("/overlay/tiny/asc-pre.webp")[0] == 200

    def test_a_picture_asked_for_twice_is_made_once(
        self, with_run: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[int] = []
        overview = render.overview

        def counted(*given: Any) -> render.Overview:
            made.append(1)
            return overview(*given)

        monkeypatch.setattr(render, "overview", counted)
        with ThreadPoolExecutor(3) as pool:
            pictures = list(pool.map(lambda _: cached.overlay("tiny", "desc-pre"), range(3)))
        assert len(made) == 1
        assert len(set(pictures)) == 1

    def test_maps_that_open_together_wait_for_one_index(
        self, with_run: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[int] = []
        outlines = features.on_one_map

        def slowly(table: Any) -> Any:
            made.append(1)
            sleep(0.2)
            return outlines(table)

        monkeypatch.setattr(features, "on_one_map", slowly)
        features._placed.cache_clear()
        box = "bbox=-180,-90,180,90"
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda _: get("/features/tiny", query=box), range(3)))
        assert [status for status, _ in answers] == [200] * 3
        assert len(made) == 1

    @pytest.mark.parametrize(
        "path", ["/overlay/tiny/<script>x.webp", "/overlay/<script>/ndvi.webp"]
    )
    def test_an_address_is_not_repeated(self, with_run: Path, path: str) -> None:
        status, body = get(path)
        assert (status, b"script" in body) == (404, False)

    @pytest.mark.parametrize(
        "path",
        [
            "/overlay/other/true-colour.webp",
            "/overlay/tiny/secrets.webp",
            "/overlay/../tiny/true-colour.webp",
            "/leaflet/../../scene.py",
        ],
    )
    def test_nothing_else(self, with_run: Path, path: str) -> None:
        assert get(path)[0] == 404
