// How uploads look: a row each, told by what the server has and what this tab is sending.
// This file and upload.js are one module.

const ASKED_FOR = 8000; // ms for which the question stands whether all are to go

function forgetWhole(desk) { // the server lists them from now on
  for (const { id, whole } of desk.data.entries) {
    if (whole && desk.jobs.get(id)?.state === "whole") desk.jobs.delete(id);
  }
}

function draw(desk) {
  const list = desk.root?.querySelector(".rows");
  if (!list) return;
  const rows = new Map();
  for (const entry of desk.data.entries) {
    rows.set(entry.id, { ...entry, sent: entry.there, state: entry.whole ? "whole" : "left" });
  }
  for (const job of desk.jobs.values()) if (job.state !== "gone") rows.set(job.id, job);
  for (const row of [...list.children]) if (!rows.has(row.dataset.id)) row.remove();
  for (const row of rows.values()) {
    const element = [...list.children].find((found) => found.dataset.id === row.id) ?? list.appendChild(newRow(row));
    fill(desk, element, row);
  }
  offerAll(desk, [...rows.keys()]);
}

// One button for all uploads; it asks back, for they may have taken hours to send. A double click
// is no answer.
function offerAll(desk, ids) {
  const button = desk.root.querySelector(".remove-all");
  const waited = () => Date.now() - desk.asked;
  button.hidden = ids.length < 2;
  button.textContent = waited() < ASKED_FOR ? `Really remove all ${ids.length}?` : "Remove all";
  button.onclick = () => {
    if (waited() > 400 && waited() < ASKED_FOR) {
      desk.asked = 0;
      for (const id of ids) removeUpload(desk, id);
      return;
    }
    desk.asked = Date.now();
    draw(desk);
    setTimeout(() => draw(desk), ASKED_FOR);
  };
}

function newRow(row) {
  const element = document.createElement("li");
  element.dataset.id = row.id;
  for (const [tag, name] of [["span", "name"], ["span", "state"], ["span", "acts"], ["progress", ""]]) {
    const part = document.createElement(tag);
    part.className = name;
    element.append(part);
  }
  return element;
}

function fill(desk, element, row) {
  element.className = row.refused ? `${row.state} refused` : row.state;
  const [name, state, acts, bar] = element.children;
  name.textContent = name.title = row.name; // text, never markup: names come from outside
  state.textContent = stateOf(row);
  bar.max = row.size || 1;
  bar.value = row.sent;
  bar.setAttribute("aria-label", `${row.name}, sent`);
  const wanted = actsOf(desk, row);
  if (acts.dataset.for === row.state) return; // a button keeps the focus
  acts.dataset.for = row.state;
  acts.replaceChildren(...wanted.map(([label, act]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.setAttribute("aria-label", `${label} ${row.name}`);
    button.onclick = act;
    return button;
  }));
}

function actsOf(desk, row) {
  const again = () => { row.state = "waiting"; row.told = ""; next(desk); };
  const remove = ["Remove", () => removeUpload(desk, row.id)];
  const cancel = ["Cancel", remove[1]];
  return {
    waiting: [cancel],
    sending: [["Pause", () => { stop(row, "paused"); next(desk); }], cancel],
    paused: [["Go on", again], cancel],
    failed: [["Retry", again], cancel],
  }[row.state] ?? [remove];
}

function stateOf(row) {
  const share = `${Math.floor((100 * row.sent) / (row.size || 1))} % of ${bytes(row.size)}`;
  if (row.state === "whole") return row.refused ? `${row.refused}, ${bytes(row.size)}` : bytes(row.size);
  if (row.state === "waiting") return `Waiting, ${bytes(row.size)}`;
  if (row.state === "paused") return `Paused at ${share}`;
  if (row.state === "left") return `${bytes(row.sent)} came. Choose it again to go on.`;
  if (row.state === "failed" || row.told) return row.told;
  const left = row.rate ? ` · ${bytes(row.rate)}/s · ${time((row.size - row.sent) / row.rate)} left` : "";
  return share + left;
}

function bytes(count) {
  const [size, unit] = count >= 1e9 ? [1e9, "GB"] : count >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  const value = count / size;
  return `${value.toFixed(value < 10 && unit !== "kB" ? 1 : 0)} ${unit}`;
}

function time(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function notice(desk, text) {
  const line = desk.root?.querySelector(".notice");
  if (line) line.textContent = text;
}

function say(desk, text) {
  const line = desk.root?.querySelector(".said");
  if (line) line.textContent = text;
}
