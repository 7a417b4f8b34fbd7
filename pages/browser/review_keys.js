// Keys of the Review page: each presses a button of the page, or goes to its field. Streamlit's
// own shortcuts don't have R and C. Also remembers the reviewer's name in this browser.

const NAME = "landslide-reviewer";
const FIELDS = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]";
const MOVED_BY_ARROWS = "[role=radio], [role=slider], [role=tab], [role=option], [role=grid], [role=combobox], canvas";

function inside(event, selector) {
  return event.composedPath().some((element) => element.matches?.(selector));
}

// What a key presses. While the page goes on to another tile, what it has not drawn anew yet is
// still about the tile before: that is left alone.
function drawn(selector) {
  return [...document.querySelectorAll(selector)].find((one) => !one.closest("[data-stale='true']"));
}

// The next tile brings buttons of its own in place of those that had the focus: it goes to the same
// one of them, or whoever moves by Tab would begin at the top of the page after every answer.
const OWN = /^(st-key-review-[a-z-]+-)\d+$/;
let held = null; // the element that has the focus, and what its part is called without the tile

function hold(event) {
  const part = event.target.closest?.("[class*='st-key-review-']");
  const name = part && [...part.classList].map((one) => one.match(OWN)?.[1]).find(Boolean);
  held = name ? {element: event.target, name} : null;
}

function refocus() {
  if (!held || held.element.isConnected) return;
  if (document.activeElement && document.activeElement !== document.body) return;
  const next = drawn(`[class*="${held.name}"] :is(button, textarea)`);
  if (next && !next.disabled) next.focus({preventScroll: true});
}

export default function ({data, parentElement, setStateValue}) {
  const isLatest = called(parentElement);
  if (data.name) window.localStorage.setItem(NAME, data.name);
  else if (data.forget) window.localStorage.removeItem(NAME);
  else if (window.localStorage.getItem(NAME)) setStateValue("name", window.localStorage.getItem(NAME));
  parentElement.reviewKeys = data.keys;
  const stop = () => {
    if (!isLatest()) return;
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
    const wanted = selector && drawn(selector);
    if (!selector || document.querySelector("[role=dialog]")) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // else Streamlit runs the page again on R
    if (wanted?.tagName === "TEXTAREA") wanted.focus();
    else wanted?.click();
  };
  parentElement.reviewPressed = pressed;
  window.addEventListener("keydown", pressed, true);
  window.addEventListener("focusin", hold);
  parentElement.reviewSwap = new MutationObserver(refocus);
  const watched = {childList: true, subtree: true, attributeFilter: ["data-stale", "disabled"]};
  parentElement.reviewSwap.observe(document.body, watched);
  return stop;
}
