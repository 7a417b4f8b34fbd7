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
  return stop;
}
