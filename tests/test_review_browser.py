"""Reviewing in a real browser: keys act, typing does not, and what was said outlives the server."""

import re
import shutil
from collections.abc import Iterator

import pytest
from browsing import AT_REST, CHROMIUM, MISSING, WAIT, Server
from playwright.sync_api import Browser, Page, expect

from landslide_core.folder import Run, open_run
from landslide_core.review.review import Review

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
expect.set_options(timeout=WAIT)
# True once the page's script is over and its keys are listened to, which begins a moment later.
LISTENS = f"""() => ({AT_REST})()
    && [...document.querySelectorAll("*")].some(one => one.shadowRoot?.reviewPressed)"""


@pytest.fixture(scope="module")
def server(made: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one run of two members' votes."""
    home = tmp_path_factory.mktemp("review")
    shutil.copytree(made.folder.parents[1], home, dirs_exist_ok=True)
    begun = Server(home)
    yield begun
    begun.kill()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A browser page."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(WAIT)
    yield opened
    context.close()


def draw_triangle(page: Page) -> None:
    """Draw an outline with the mouse, begun by its key."""
    page.keyboard.press("o")
    draw = page.get_by_role("button", name="Draw outline")
    expect(draw).to_have_attribute("aria-pressed", "true")
    ground = page.locator(".review-map").bounding_box()
    assert ground is not None
    corners = page.locator(".review-map .leaflet-editing-icon")
    for drawn, (x, y) in enumerate(((0.5, 0.3), (0.6, 0.6), (0.4, 0.6)), 1):
        page.mouse.move(ground["x"] + x * ground["width"], ground["y"] + y * ground["height"])
        page.mouse.down()
        page.mouse.up()
        expect(corners).to_have_count(drawn)
        page.wait_for_timeout(300)  # Leaflet.draw takes no corner right after another
    corners.first.click()


def test_keys_outline_refresh_and_a_killed_server(page: Page, server: Server) -> None:
    run = open_run(server.home / "runs" / "tiny")
    sure = run.tiles["verdict"].isin(["landslide", "stable", "filtered_out"])
    first, second = (int(tile) for tile in run.tiles["tile_id"][sure][:2])
    review = Review.of(run)

    page.goto(f"{server.address}/review?run=tiny&tile={first}")
    page.get_by_label("Your name").fill("Ana")
    page.get_by_role("button", name="Start reviewing").click()
    draw = page.get_by_role("button", name="Draw outline")
    expect(draw).to_be_enabled()
    page.wait_for_function("() => localStorage.getItem('landslide-reviewer') === 'Ana'")
    page.wait_for_function(LISTENS)

    draw_triangle(page)
    keep = page.get_by_role("button", name="Keep outline")
    expect(keep).to_be_in_viewport()  # beside the picture, without scrolling
    page.wait_for_function(AT_REST)
    page.keyboard.press("n")
    expect(page.get_by_text("The outline is not kept yet.")).to_be_in_viewport()
    page.wait_for_function(AT_REST)
    page.keyboard.press("d")
    expect(page.get_by_text("drawing dropped")).to_be_visible()
    expect(page.get_by_text("The outline is not kept yet.")).to_have_count(0)
    page.wait_for_function(AT_REST)
    draw_triangle(page)
    expect(keep).to_be_in_viewport()
    page.wait_for_function(AT_REST)
    page.keyboard.press("k")
    expect(page.get_by_text("outline kept")).to_be_visible()
    assert 1e4 < 1e10 * 1.2 * review.state()["outline"][first].area < 1e6  # about m² of degrees²

    page.wait_for_function(AT_REST)
    page.keyboard.press("c")  # goes to the field, where letters are letters
    field = page.get_by_label("Comment")
    expect(field).to_be_focused()
    page.keyboard.type("a rather 1 urban")
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()
    page.keyboard.press("a")  # at once, while the page still takes in what was typed
    expect(page.get_by_text(re.compile(rf"Tile {first}: \w+, kept"))).to_be_visible()
    _, accepted = review.events
    assert (accepted.action, accepted.tile, accepted.comment) == (
        *("accept", first, "a rather 1 urban"),
    )
    assert f"tile={first}" not in page.url  # it went on
    page.goto(f"{server.address}/review?run=tiny&tile={second}")
    expect(page.get_by_role("button", name="Ana")).to_be_visible()  # the browser knows who
    expect(page.get_by_role("button", name="Reject")).to_be_enabled()
    page.wait_for_function(LISTENS)  # what is not drawn anew yet is not pressed
    page.keyboard.press("r")  # Streamlit would only run the page again
    expect(page.get_by_text(f"Tile {second}: ")).to_be_visible()
    page.wait_for_function(AT_REST)
    page.keyboard.press("u")
    expect(page.get_by_text(f"Tile {second}: taken back")).to_be_visible()
    page.wait_for_function(AT_REST)
    page.keyboard.press("1")
    expect(page.get_by_text(f"Tile {second}: landslide, kept")).to_be_visible()

    server.kill()
    server.start()
    page.goto(f"{server.address}/review?run=tiny&tile={second}")
    expect(page.get_by_text("Landslide, says Ana")).to_be_visible()
    asked = int((run.tiles["verdict"] != "no_data").sum())
    expect(page.get_by_text(f"2 of {asked}", exact=True)).to_be_visible()
    kept = Review.of(run).state()
    assert list(kept["label"].notna()[[first, second]]) == [True, True]
    assert [e.action for e in Review.of(run).events] == [
        *("outline", "accept", "reject", "undo", "relabel")
    ]


def test_quick_keys_label_no_tile_twice_and_focus_stays(page: Page, server: Server) -> None:
    run = open_run(server.home / "runs" / "tiny")
    before = len(Review.of(run).events)
    page.goto(f"{server.address}/review?run=tiny")
    expect(page.get_by_label("Your name")).to_be_visible()
    page.wait_for_function(AT_REST)
    picture = page.locator(".review-map")
    picture.evaluate("picture => { picture.first = true; }")
    page.get_by_label("Your name").fill("Eva")
    page.get_by_role("button", name="Start reviewing").click()
    expect(page.get_by_role("button", name="Draw outline")).to_be_enabled()
    page.wait_for_function(AT_REST)
    assert picture.evaluate("picture => picture.first")  # the form went, the picture stayed

    page.wait_for_function(LISTENS)
    asked, on = page.url, page.locator("[class*='st-key-review-next-'] button")
    on.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("before => window.location.href !== before", arg=asked)
    page.wait_for_function(AT_REST)
    expect(on).to_be_focused()  # the next tile's button, in place of the one before

    for key in "1213":
        page.keyboard.press(key)
        page.wait_for_timeout(120)
    page.wait_for_timeout(1500)
    page.wait_for_function(AT_REST)
    events = Review.of(run).events[before:]
    assert len(events) >= 1
    assert len({event.tile for event in events}) == len(events)
    assert [event.time for event in events] == sorted(event.time for event in events)
    told = page.get_by_text(re.compile(r"kept|has your answer already")).first.inner_text()
    label = Review.of(run).state()["label"]
    if found := re.search(r"Tile (\d+): (\w+), kept", told):
        assert label[int(found[1])] == found[2]


def test_a_script_that_does_not_come_is_told_and_asked_for_again(
    page: Page, server: Server
) -> None:
    script = re.compile("leaflet.draw.js")
    page.route(script, lambda route: route.abort())
    page.goto(f"{server.address}/review?run=tiny")
    expect(page.get_by_text("The map's script did not load. Load the page")).to_be_visible()
    page.unroute(script)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("button", name="Draw outline")).to_be_visible()
    expect(page.get_by_text("The map's script did not load.")).to_have_count(0)


def test_a_key_waits_for_its_tile_to_be_drawn_anew_and_for_no_other(
    page: Page, server: Server
) -> None:
    run = open_run(server.home / "runs" / "tiny")
    before = len(Review.of(run).events)
    page.goto(f"{server.address}/review?run=tiny&tile=7")
    page.get_by_label("Your name").fill("Ida")
    page.get_by_role("button", name="Start reviewing").click()
    stable = page.locator(".st-key-review-stable-7")
    expect(stable.get_by_role("button")).to_be_enabled()
    page.wait_for_function(LISTENS)

    stable.evaluate("part => part.setAttribute('data-stale', 'true')")
    page.keyboard.press("2")
    stable.evaluate("part => part.classList.replace('st-key-review-stable-7', 'st-key-review-x-7')")
    page.evaluate("document.body.append(document.createElement('i'))")  # the page is looked at
    page.wait_for_timeout(500)  # its tile is gone
    other = page.locator(".st-key-review-x-7")
    other.evaluate("part => part.classList.replace('st-key-review-x-7', 'st-key-review-stable-7')")
    stable.evaluate("part => part.setAttribute('data-stale', 'false')")
    page.wait_for_timeout(500)
    assert len(Review.of(run).events) == before

    stable.evaluate("part => part.setAttribute('data-stale', 'true')")
    for key in "21":  # the second one is not taken: it might be about what comes next
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    assert len(Review.of(run).events) == before
    stable.evaluate("part => part.setAttribute('data-stale', 'false')")
    expect(page.get_by_text("Tile 7: stable, kept")).to_be_visible()
    (event,) = Review.of(run).events[before:]
    assert (event.tile, event.reviewer, event.value) == (7, "Ida", "stable")

    page.get_by_role("link", name="Scene", exact=True).click()  # which has a map of its own
    expect(page.locator(".leaflet-control-zoom-in").first).to_be_visible()
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_role("button", name="Draw outline")).to_be_enabled()
    page.wait_for_function(LISTENS)
    draw_triangle(page)
    expect(page.get_by_role("button", name="Keep outline")).to_be_enabled()
