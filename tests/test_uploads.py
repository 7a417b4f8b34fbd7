"""Uploads: the route that takes them, what it refuses, how they lie on the disk, what is swept."""

import asyncio
import errno
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sending import ENTRY, Answer, ask, asked
from streamlit.testing.v1 import AppTest

from landslide_core.plan import RunOptions
from landslide_core.readers.given import SceneInputs
from pages.parts import state
from pages.parts.run import jobs
from pages.parts.scene import cached_scene
from pages.parts.upload import admission, receiving, sweeping, upload_store, uploads

TOKEN = "ab" * 16
HOME = hashlib.sha256(TOKEN.encode()).hexdigest()[:32]  # its folder
OTHER = "f" * 32
Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session's folder."""
    monkeypatch.setenv("LANDSLIDE_RUNS", str(tmp_path))
    folder = tmp_path / ".uploads" / HOME
    folder.mkdir(parents=True)
    return folder


def put(*body: bytes, entry: str = ENTRY, token: str = TOKEN, **named: Any) -> Answer:
    named = {"name": "a.tif", "size": 10, "offset": 0} | named
    return ask("PUT", f"/upload/{token}/{entry}", body, **named)


def where(entry: str = ENTRY, **named: Any) -> Answer:
    return ask("GET", f"/upload/{TOKEN}/{entry}", **({"name": "a.tif", "size": 10} | named))


def names(folder: Path) -> list[str]:
    """All files below a folder."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


class TestSlices:
    @pytest.mark.parametrize("base", ["", "/slides"])
    def test_a_file_has_its_name_with_its_last_byte(self, session: Path, base: str) -> None:
        path, rest = f"{base}/upload/{TOKEN}/{ENTRY}", {"name": "a.tif", "size": 10, "base": base}
        answer = ask("PUT", path, [b"012", b"34"], offset=0, **rest)
        assert (answer.status, answer.there) == (204, 5)
        assert names(session) == [f"{ENTRY}/.a.tif.10.part"]
        assert json.loads(ask("GET", path, **rest).text) == {"offset": 5, "whole": False}
        assert ask("PUT", path, [b"56789"], offset=5, **rest).there == 10
        assert (session / ENTRY / "a.tif").read_bytes() == b"0123456789"
        assert names(session) == [f"{ENTRY}/a.tif"]
        assert json.loads(ask("GET", path, **rest).text) == {"offset": 10, "whole": True}

    def test_head_tells_where_to_go_on(self, session: Path) -> None:
        put(b"0123")
        answer = ask("HEAD", f"/upload/{TOKEN}/{ENTRY}", name="a.tif", size=10)
        assert (answer.status, answer.there) == (200, 4)

    def test_a_broken_connection_keeps_what_came(self, session: Path) -> None:
        put(b"012", b"34", ends=False)
        assert where().there == 5
        assert put(b"56789", offset=5).there == 10
        assert (session / ENTRY / "a.tif").read_bytes() == b"0123456789"

    def test_a_silent_connection_is_given_up(
        self, session: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(receiving, "_SILENCE", 0.05)

        async def silent() -> Answer:
            never = asyncio.Event()
            rest = {"name": "a.tif", "size": 10, "offset": 0}
            return await asked("PUT", f"/upload/{TOKEN}/{ENTRY}", [b"012"], wait=never, **rest)

        answer = asyncio.run(silent())
        assert (answer.status, where().there) == (408, 3)
        assert put(b"3456789", offset=3).there == 10  # and holds nobody up

    def test_another_offset_is_told_where_to_go_on(self, session: Path) -> None:
        put(b"0123")
        for offset in (0, 3, 5, 10):
            answer = put(b"x", offset=offset)
            assert (answer.status, answer.there) == (409, 4)
            assert "4 bytes are there" in answer.text
        assert (session / ENTRY / ".a.tif.10.part").read_bytes() == b"0123"

    def test_a_server_stopped_before_the_name_was_given(self, session: Path) -> None:
        put(b"01234")
        part = session / ENTRY / ".a.tif.10.part"
        part.write_bytes(b"0123456789")
        assert json.loads(where().text) == {"offset": 10, "whole": False}
        assert put(offset=10).status == 204
        assert (session / ENTRY / "a.tif").read_bytes() == b"0123456789"

    def test_more_than_was_said_does_not_count(self, session: Path) -> None:
        put(b"0123")
        said = put(b"4567890", offset=4, headers={"content-length": "7"})
        assert (said.status, said.there) == (413, 4)
        unsaid = put(b"4567", b"890", offset=4)
        assert (unsaid.status, unsaid.there) == (413, 4)
        assert where().there == 4

    def test_large_bodies_go_through_a_small_buffer(self, session: Path) -> None:
        chunks = [bytes([i]) * 400_000 for i in range(10)]
        assert put(*chunks, size=4_000_000).there == 4_000_000
        assert (session / ENTRY / "a.tif").read_bytes() == b"".join(chunks)

    def test_a_file_has_one_writer(self, session: Path) -> None:
        async def both() -> tuple[Answer, Answer]:
            go_on = asyncio.Event()
            path, rest = f"/upload/{TOKEN}/{ENTRY}", {"name": "a.tif", "size": 10}
            first = asyncio.create_task(
                asked("PUT", path, [b"01234"], wait=go_on, offset=0, **rest)
            )
            while not receiving._WRITING:
                await asyncio.sleep(0.001)
            second = await asked("PUT", path, [b"xxxxx"], offset=0, **rest)
            go_on.set()
            return await first, second

        first, second = asyncio.run(both())
        assert (first.status, second.status) == (204, 423)
        assert "being sent already" in second.text
        assert (session / ENTRY / ".a.tif.10.part").read_bytes() == b"01234"
        assert not receiving._WRITING


class TestRefusals:
    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "http://elsewhere.example"},
            {"origin": "null"},
            {"origin": ""},
            {"origin": "http://localhost:8501.elsewhere.example"},
            {"origin": "http://localhost"},
            {"origin": "http://", "host": ""},
        ],
    )
    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    def test_other_pages(self, session: Path, headers: dict[str, str], method: str) -> None:
        (session / ENTRY).mkdir()
        path = f"/upload/{TOKEN}/{ENTRY}"
        answer = ask(method, path, [b"0"], headers, name="a.tif", size=10, offset=0)
        assert answer.status == 403
        assert "server.corsAllowedOrigins" in answer.text
        assert names(session) == []
        assert (session / ENTRY).is_dir()

    def test_a_listed_page(self, session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        listed = ["https://slides.example"]
        monkeypatch.setattr(admission.st, "get_option", lambda name: listed)
        assert put(b"0", headers={"origin": "https://slides.example"}).status == 204
        assert put(b"0", headers={"origin": "https://slides.example.org"}).status == 403

    @pytest.mark.parametrize("token", [OTHER, "..", "-", "ab", TOKEN.upper(), TOKEN + "0"])
    def test_tokens_nobody_was_given(self, session: Path, token: str) -> None:
        for name in ("-", "ab", TOKEN.upper(), TOKEN + "0"):
            state.uploads_of(name).mkdir()
        assert put(b"0", token=token).status == 404

    def test_whoever_reads_a_path_does_not_know_the_token(self, session: Path) -> None:
        put(b"0")
        assert where().there == 1
        assert put(b"0", token=session.name).status == 404  # run records and errors name it
        assert adopted(session.name) != session

    def test_a_session_that_is_a_link(self, session: Path, tmp_path: Path) -> None:
        (tmp_path / "target").mkdir()
        state.uploads_of(OTHER).symlink_to(tmp_path / "target")
        assert put(b"0", token=OTHER).status == 404

    @pytest.mark.parametrize("entry", ["x", "..", ENTRY.upper(), ENTRY + "0", "%2e%2e"])
    def test_other_numbers(self, session: Path, entry: str) -> None:
        assert put(b"0", entry=entry).status in (400, 404)
        assert names(session.parents[1]) == []

    @pytest.mark.parametrize(
        ("query", "status", "line"),
        [
            ({"name": ""}, 400, "folders deep"),
            ({"name": "/".join("abcdefghi") + ".tif"}, 400, "folders deep"),
            ({"name": "a.exe"}, 415, "a.exe is none of .tif"),
            ({"name": "a.xml"}, 415, "a.xml is none of .tif"),  # beside a raster alone
            ({"name": "a.vrt"}, 415, ""),
            ({"name": "x.SAFE/a.html"}, 415, ""),
            ({"name": "a.tif\0.sh"}, 415, ""),
            ({"size": 0}, 413, "0 GB; 1 byte to 20 GB"),
            ({"size": 20_000_000_001}, 413, "LANDSLIDE_MAX_UPLOAD_GB"),
            ({"size": -1}, 400, "`size` is -1"),
            ({"size": "1e3"}, 400, "whole number"),
            ({"size": "٣"}, 400, "whole number"),
            ({"size": "9" * 16}, 400, "whole number"),
            ({"offset": "-1"}, 400, "`offset` is -1"),
            ({"count": "x"}, 400, "`count` is x"),
        ],
    )
    def test_what_is_asked(
        self, session: Path, query: dict[str, object], status: int, line: str
    ) -> None:
        answer = put(b"0", **query)
        assert (answer.status, answer.text.count("\n")) == (status, 0)
        assert line in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert names(session) == []

    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            ("../../../evil.tif", "file/file/file/evil.tif"),
            ("/etc/a.tif", "etc/a.tif"),
            ("..\\..\\evil.tif", "evil.tif"),
            ("x/../../evil.tif", "x/file/file/evil.tif"),
            ("ü ö.tif", "_.tif"),
            (".hidden.tif", "hidden.tif"),
        ],
    )
    def test_no_name_leaves_the_folder(self, session: Path, name: str, kept: str) -> None:
        assert put(b"0123456789", name=name).status == 204
        assert names(session.parents[1]) == [f".uploads/{HOME}/{ENTRY}/{kept}"]

    def test_links_are_not_followed(self, session: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (session / ENTRY).symlink_to(outside)
        assert put(b"0").status == 400
        (session / ENTRY).unlink()
        (session / ENTRY).mkdir()
        (session / ENTRY / ".a.tif.10.part").symlink_to(outside / "a.tif")
        assert put(b"0").status == 400
        (session / ENTRY / ".p").symlink_to(outside)
        assert put(b"0", name="p/a.tif").status == 400
        assert names(outside) == []

    def test_a_session_has_a_share(self, session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LANDSLIDE_MAX_SESSION_GB", "25e-9")
        assert put(b"0").status == 204  # of ten bytes
        assert put(b"0", entry=OTHER).status == 204
        answer = put(b"0", entry="e" * 32)
        assert answer.status == 413
        assert "Remove some" in answer.text
        assert put(b"123456789", offset=1).status == 204  # what was begun may end
        monkeypatch.setenv("LANDSLIDE_MAX_SESSION_GB", "1")
        monkeypatch.setattr(admission, "MOST_FILES", 2)
        assert put(b"0", entry="e" * 32).status == 413

    def test_a_disk_without_room(self, session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        free = [10**12]
        usage = lambda path: Disk(4 * 10**12, 0, free[0])  # noqa: E731
        monkeypatch.setattr(upload_store.shutil, "disk_usage", usage)
        put(b"0123")
        free[0] = 10**9 + 5  # one gigabyte stays free; six bytes are missing
        for answer in (put(b"456789", offset=4), where()):
            assert answer.status == 507
            assert "Remove uploads or runs" in answer.text
        free[0] = 10**9 + 6
        assert put(b"456789", offset=4).status == 204

    def test_a_disk_that_fills_meanwhile(
        self, session: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(file: Any, waiting: bytearray) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(receiving, "_write", full)
        answer = put(b"0123")
        assert (answer.status, "disk is full" in answer.text) == (507, True)
        assert not receiving._WRITING

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may mount")
    def test_a_disk_that_is_really_full(self, session: Path) -> None:
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(session)]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("mounting is not allowed here")
        try:
            mb = b"x" * 1_000_000
            assert put(mb, size=20_000_000).status == 507  # told at once
            assert put(*[mb] * 3, size=7_000_000).there == 3_000_000
            (session / "other").write_bytes(mb * 3)  # somebody else's
            answer = put(*[mb] * 4, size=7_000_000, offset=3_000_000)
            assert answer.status == 507
            (session / "other").unlink()
            assert where(size=7_000_000).there == 3_000_000
            assert put(*[mb] * 4, size=7_000_000, offset=3_000_000).there == 7_000_000
        finally:
            subprocess.run(["umount", str(session)], check=True)


class TestFolders:
    def test_a_product_is_there_once_all_of_it_is(self, session: Path) -> None:
        tree = "S2A.SAFE/GRANULE/L2A/IMG_DATA/B02.jp2"
        put(b"0123456789", name=tree, count=2)
        assert uploads_of(session) == [("S2A.SAFE", 10, False)]
        put(b"01", name="S2A.SAFE/MTD_MSIL2A.xml", count=2, size=4)
        assert uploads_of(session) == [("S2A.SAFE", 12, False)]
        put(b"23", name="S2A.SAFE/MTD_MSIL2A.xml", count=2, size=4, offset=2)
        assert uploads_of(session) == [("S2A.SAFE", 14, True)]
        assert names(session / ENTRY) == [tree, "S2A.SAFE/MTD_MSIL2A.xml"]
        (entry,) = upload_store.entries(session)
        assert upload_store.rasters(entry) == {"S2A.SAFE": session / ENTRY / "S2A.SAFE"}
        assert where(name=tree, count=2).there == 10  # and is not asked for again

    def test_rasters_of_another_folder_are_named_by_their_path(self, session: Path) -> None:
        for name in ("day/B04.tif", "day/item.json", "day/S1.SAFE/m/vv.tiff", "day/S1.SAFE/a.xml"):
            put(b"0123456789", name=name, count=4)
        (entry,) = upload_store.entries(session)
        found = upload_store.rasters(entry)
        assert list(found) == ["day/B04.tif", "day/S1.SAFE"]
        assert found["day/B04.tif"].with_name("item.json").is_file()

    def test_another_file_of_the_name(self, session: Path) -> None:
        put(b"0123456789")
        answer = put(b"01234", size=5)
        assert (answer.status, "Remove it first" in answer.text) == (409, True)


def uploads_of(session: Path) -> list[tuple[str, int, bool]]:
    """Name, bytes there, and whether it is whole, of each upload."""
    return [(e.name, e.there, e.path is not None) for e in upload_store.entries(session)]


class TestList:
    def test_what_is_there_and_under_way(self, session: Path) -> None:
        put(b"0123456789", name="b.tif")
        put(b"012", name="a.tif", entry=OTHER)
        (session / "product-1").mkdir()  # kept there by other parts
        (session / "product-1" / "c.tif").write_bytes(b"0")
        found = upload_store.entries(session)
        assert [(e.name, e.size, e.there, e.path) for e in found] == [
            ("a.tif", 10, 3, None),
            ("b.tif", 10, 10, session / ENTRY / "b.tif"),
        ]
        assert upload_store.held(session) == (20, 2)

    def test_removing(self, session: Path) -> None:
        put(b"0123456789")
        put(b"0123", entry=OTHER)
        assert ask("DELETE", f"/upload/{TOKEN}/{OTHER}").status == 204
        assert uploads_of(session) == [("a.tif", 10, True)]
        assert ask("DELETE", f"/upload/{TOKEN}/{ENTRY}").status == 204
        assert names(session) == []
        assert ask("DELETE", f"/upload/{TOKEN}/{ENTRY}").status == 204  # gone is gone

    def test_what_a_run_uses_leaves_the_list_alone(self, session: Path) -> None:
        put(b"0123456789")
        refer(session, session / ENTRY / "a.tif")
        assert ask("DELETE", f"/upload/{TOKEN}/{ENTRY}").status == 204
        assert uploads_of(session) == []
        assert (session / ENTRY / "a.tif").is_file()


def refer(session: Path, path: Path, record: str = "run.json") -> None:
    """A run that was made from a file."""
    run = session.parents[1] / "run"
    run.mkdir(exist_ok=True)
    (run / record).write_text(json.dumps({"given": {"s2": [str(path)]}}))


def age(folder: Path, days: float) -> None:
    """Make a folder and all below it old."""
    then = time.time() - 86_400 * days
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (then, then))


class TestSession:
    @pytest.mark.parametrize("token", [OTHER, "..", "", "scene", "../" + TOKEN])
    def test_a_reload_gets_no_folder_it_did_not_have(self, session: Path, token: str) -> None:
        state.uploads_of("scene").mkdir()
        assert adopted(token) not in (session, session.parent, state.uploads_of("scene"))

    def test_a_reload_gets_its_folder_back(self, session: Path) -> None:
        assert adopted(TOKEN) == session
        assert [path.name for path in session.parent.iterdir()] == [HOME]  # not one more

    def test_what_does_not_read_is_named_without_its_place(self, session: Path) -> None:
        put(b"no raster!")
        found = cached_scene.recognised(session / ENTRY / "a.tif", "a.tif")
        assert found.problem.startswith("a.tif cannot be read")
        assert str(session) not in found.problem

    def test_what_is_of_no_use_is_marked_in_the_list(self, session: Path) -> None:
        files = ("0" * 32, "a.tif"), ("1" * 32, "P/B02.jp2"), ("2" * 32, "Q/MTD.xml")
        for home, name in files:
            (session / home / name).parent.mkdir(parents=True)
            (session / home / name).write_bytes(b"x")
        (session / ("1" * 32) / "P" / "B03.jp2").write_bytes(b"x")
        for broken, told in (
            ({"a.tif", "B02.jp2"}, ["", "Holds no raster", "Cannot be used"]),
            ({"B02.jp2", "B03.jp2"}, ["Cannot be used", "Holds no raster", ""]),
        ):
            assert told == [
                uploads.refused(entry, lambda name, path, which=broken: path.name in which)
                for entry in upload_store.entries(session)
            ]

    def test_a_page_without_the_route_has_streamlits_own_uploader(self, session: Path) -> None:
        receiving.routes()
        page = AppTest.from_function(_panel).run()
        page.file_uploader[0].set_value([("a.tif", b"one", "image/tiff")]).run()
        assert not page.exception
        assert "200 MB" in page.file_uploader[0].label
        assert "streamlit run app.py" in page.file_uploader[0].label
        assert page.text[0].value == "a.tif"


def _panel() -> None:
    import streamlit as st

    from pages.parts.upload import uploads

    st.text(", ".join(uploads.panel("uploads", lambda name, path: False)))


def _adopt() -> None:
    import streamlit as st

    from pages.parts import state

    state.uploads_folder().mkdir()
    state.adopt_uploads(st.query_params["token"])
    st.text(state.uploads_folder())


def adopted(token: str) -> Path:
    """The folder that a new session has once a browser asked for a token's."""
    page = AppTest.from_function(_adopt)
    page.query_params["token"] = token
    page.run()
    assert not page.exception
    return Path(page.text[0].value)


class TestSweep:
    def test_old_uploads_go(self, session: Path) -> None:
        put(b"0123456789")
        put(b"0", entry=OTHER)
        age(session, 6.9)
        sweeping.sweep()
        assert len(names(session)) == 2
        age(session, 7.1)
        sweeping.sweep()
        assert not (session / ENTRY).exists()

    def test_two_who_sweep_at_once(self, session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(b"0123456789")
        put(b"0123456789", entry=OTHER)
        age(session, 100)
        newest = sweeping._newest

        def gone(path: Path) -> float:
            if path.name == OTHER:
                shutil.rmtree(path)  # by another page, just now
            return newest(path)

        monkeypatch.setattr(sweeping, "_newest", gone)
        sweeping.sweep()
        assert names(session) == []

    def test_days_are_the_operators(self, session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LANDSLIDE_KEEP_UPLOADS_DAYS", "30")
        put(b"0123456789")
        age(session, 29)
        sweeping.sweep()
        assert names(session)

    @pytest.mark.parametrize("record", ["run.json", "plan.json"])
    def test_what_runs_refer_to_stays(self, session: Path, record: str) -> None:
        put(b"0123456789")
        put(b"0123456789", entry=OTHER)
        refer(session, session / ENTRY / "a.tif", record)
        age(session, 100)
        sweeping.sweep()
        assert names(session) == [f"{ENTRY}/a.tif"]

    def test_what_waiting_jobs_refer_to_stays(self, session: Path) -> None:
        put(b"0123456789")
        put(b"0123456789", entry=OTHER)
        runs = session.parents[1]
        inputs = SceneInputs(s2=(session / ENTRY / "a.tif",))
        jobs.queue_of(runs).add(inputs, RunOptions(Path("bundle")), runs / "new")
        age(session, 100)
        sweeping.sweep()
        assert names(session) == [f"{ENTRY}/a.tif"]

    def test_where_a_record_does_not_read_all_stays(self, session: Path) -> None:
        put(b"0123456789")
        run = session.parents[1] / "run"
        (run / "run.json").mkdir(parents=True)
        age(session, 100)
        sweeping.sweep()
        assert names(session) == [f"{ENTRY}/a.tif"]
        assert sweeping.is_used(session / ENTRY)

    def test_what_others_keep_there_stays(self, session: Path) -> None:
        scene = session.parent / "S2-nepal" / "s2.tif"
        scene.parent.mkdir()
        scene.write_bytes(b"0")
        age(session.parent, 100)
        sweeping.sweep()
        assert scene.is_file()
        assert not session.exists()  # empty


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("s2.tif", "s2.tif"),
        ("../../etc/passwd", "passwd"),
        ("C:\\a b\\ü.tif", "_.tif"),
        (".hidden", "hidden"),
        ("..", "file"),
        ("x" * 300 + ".tif", "x" * 116 + ".tif"),
    ],
)
def test_uploaded_names_are_made_safe(name: str, safe: str) -> None:
    assert upload_store.safe_name(name) == safe


@dataclass
class Sent:
    """A file of Streamlit's own uploader."""

    name: str
    file_id: str
    held: bytes

    def getbuffer(self) -> memoryview:
        return memoryview(self.held)


def test_a_corrected_file_of_the_same_size_counts(tmp_path: Path) -> None:
    first = uploads.keep([Sent("a.tif", "1", b"old")], tmp_path)
    second = uploads.keep([Sent("a.tif", "2", b"new")], tmp_path)
    assert [p.read_bytes() for p in (first["a.tif"], second["a.tif"])] == [b"old", b"new"]


def test_bands_of_one_role_come_to_lie_together(tmp_path: Path) -> None:
    names = ("B04.tif", "B08.tif", "B04.tif", "B08.tif", "SCL.tif")
    sent = [Sent(name, f"upload-{i}", b"%d" % i) for i, name in enumerate(names)]
    paths = list(uploads.keep(sent, tmp_path).values())
    placed = uploads.side_by_side(paths, tmp_path)
    products = {path.parent for path in placed}
    assert len(products) == 2
    assert sorted(path.read_bytes() for path in placed) == [b"0", b"1", b"2", b"3", b"4"]
    assert placed == uploads.side_by_side(paths, tmp_path)  # and stay where they are
    assert uploads.side_by_side(paths[:1], tmp_path) == paths[:1]
    together = [tmp_path / "day" / "B04.tif", tmp_path / "day" / "B08.tif"]
    assert uploads.side_by_side(together, tmp_path) == together  # beside their metadata
