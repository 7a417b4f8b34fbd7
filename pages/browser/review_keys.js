// Keys of the Review page: each presses a button of the page, or goes to its field. Streamlit's
// own shortcuts don't have R and C. Also remembers the reviewer's name in this browser.

const NAME = "landslide-reviewer";
const FIELDS = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]";
const MOVED_BY_ARROWS = "[role=radio], [role=slider], [role=tab], [role=option], [role=grid], [role=combobox], canvas";

function inside(event, selector) {
  return event.composedPath().some((element) => element.matches?.(selector));
}

const OWN = /^(st-key-review-[a-z-]+-)\d+$/;

// What the page calls the part of a tile that an element is in, with the tile's number.
function part(element) {
  const around = element?.closest?.("[class*='st-key-review-']");
  return around ? [...around.classList].find((one) => OWN.test(one)) : undefined;
}

// What a key presses. While the page goes on to another tile, parts that it has not drawn anew yet
// are still about the tile before: those are left alone. The picture's tools are for what is seen.
function drawn(selector) {
  return [...document.querySelectorAll(selector)].find(
    (one) => !part(one) || !one.closest("[data-stale='true']"));
}

function act(element) {
  if (element.tagName === "TEXTAREA") element.focus();
  else element.click();
}

// A key that comes while the page draws the same tile anew, as it does after a comment, waits for
// that; others after it are not taken. Where another tile comes instead, it is forgotten.
let waiting = null; // what it presses, and the part that it meant

function press(selector) {
  if (waiting) return;
  const wanted = drawn(selector), meant = part(document.querySelector(selector));
  if (wanted) act(wanted);
  else if (meant) waiting = {selector, meant};
}

function pressWaiting() {
  if (!waiting) return;
  const {selector, meant} = waiting, wanted = drawn(selector);
  if (!wanted && document.querySelector(selector)) return;
  waiting = null;
  if (wanted && part(wanted) === meant) act(wanted);
}

// The next tile brings buttons of its own in place of those that had the focus: it goes to the same
// one of them, or whoever moves by Tab would begin at the top of the page after every answer.
let held = null; // the element that has the focus, and what its part is called without the tile

function hold(event) {
  const name = part(event.target)?.match(OWN)[1];
  held = name ? {element: event.target, name} : null;
}

function refocus() {
  if (!held || held.element.isConnected) return;
  if (document.activeElement && document.activeElement !== document.body) return;
  const next = drawn(`[class*="${held.name}"] :is(button, textarea)`);
  if (next && !next.disabled) next.focus({preventScroll: true});
}

export default function ({data, parentElement, setStateValue}) {
  if (data.name) window.localStorage.setItem(NAME, data.name);
  else if (data.forget) window.localStorage.removeItem(NAME);
  else if (window.localStorage.getItem(NAME)) setStateValue("name", window.localStorage.getItem(NAME));
  parentElement.reviewKeys = data.keys;
  const stop = () => {
    if (parentElement.isConnected) return;
    window.removeEventListener("keydown", parentElement.reviewPressed, true);
    parentElement.reviewPressed = null;
    window.removeEventListener("focusin", hold);
    parentElement.reviewSwap.disconnect();
  };
  if (parentElement.reviewPressed) return stop;
  const pressed = (event) => {
    const typing = inside(event, FIELDS);
    if (typing && event.key === "Escape") event.composedPath()[0].blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key.startsWith("Arrow") && inside(event, MOVED_BY_ARROWS)) return;
    const selector = parentElement.reviewKeys[event.key.toLowerCase()];
    if (!selector || document.querySelector("[role=dialog]")) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // else Streamlit runs the page again on R
    press(selector);
  };
  parentElement.reviewPressed = pressed;
  window.addEventListener("keydown", pressed, true);
  window.addEventListener("focusin", hold);
  parentElement.reviewSwap = new MutationObserver(() => {
    pressWaiting();
    refocus();
  });
  const watched = {childList: true, subtree: true, attributeFilter: ["data-stale", "disabled"]};
  parentElement.reviewSwap.observe(document.body, watched);
  return stop;
}
