// Files of any size, sent in slices that the server appends to disk. What is under way lives in
// one desk a tab, outside of the page's element: it goes on while another page is looked at.

const WAITS = [1, 2, 4, 8, 16]; // s before each new try of a slice
const FEWEST = 1 << 20, MOST = 16 << 20; // bytes of a slice; it grows while the line is fast
const AT_ONCE = 2;
const PATIENCE = 60_000; // ms that one slice may take
const TOKEN = "landslide-uploads";

// The token lets whoever has it add to and remove from this session's folder. It is kept in
// sessionStorage, which ends with the tab and is sent to nobody; an address is put into
// histories, logs, links and screenshots.
const kept = {
  get() { try { return sessionStorage.getItem(TOKEN); } catch { return null; } },
  set(token) { try { sessionStorage.setItem(TOKEN, token); } catch { /* then a reload forgets */ } },
};

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const stored = kept.get();
  if (stored && stored !== data.token && stored !== data.asked) {
    setStateValue("session", stored); // a reload: ask for the folder this tab had
    return undefined;
  }
  kept.set(data.token);
  const desk = (window.landslideUploads ??= newDesk());
  desk.data = data;
  desk.changed = () => setTriggerValue("changed", Date.now());
  desk.root = parentElement;
  wire(desk, parentElement);
  forgetWhole(desk);
  draw(desk);
  return () => { if (!parentElement.isConnected && desk.root === parentElement) desk.root = null; };
}

function newDesk() {
  const desk = { jobs: new Map(), root: null, data: null, changed: () => {}, timer: 0, asked: 0 };
  window.addEventListener("beforeunload", (event) => {
    if ([...desk.jobs.values()].some((job) => job.state === "sending")) event.preventDefault();
  });
  return desk;
}

// ---- choosing ----

function wire(desk, root) {
  const find = (name) => root.querySelector(name);
  const [drop, files, folder] = [find(".drop"), find(".files"), find(".folder")];
  const gb = desk.data.most / 1e9;
  find(".about").textContent =
    `GeoTIFF, JPEG 2000, zipped or unpacked SAFE; up to ${gb} GB a file. A broken connection goes on where it was.`;
  find(".pick-files").onclick = () => files.click();
  find(".pick-folder").onclick = () => folder.click();
  for (const input of [files, folder]) {
    input.onchange = () => {
      const chosen = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
      input.value = ""; // the same file may be chosen again
      take(desk, chosen);
    };
  }
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    try {
      const dropped = [...event.dataTransfer.items].filter((item) => item.kind === "file")
        .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
      take(desk, (await Promise.all(dropped.map((item) => below(item)))).flat());
    } catch (error) {
      notice(desk, `What was dropped cannot be read (${error.message}). Choose it with the buttons.`);
    }
  };
}

// All files at or below what was dropped, with their paths; without an entry it is the file itself.
async function below(entry, before = "") {
  if (entry instanceof File) return [{ path: entry.name, file: entry }];
  const path = before + entry.name;
  if (entry.isFile) return [{ path, file: await new Promise((done, no) => entry.file(done, no)) }];
  const reader = entry.createReader(), found = [];
  for (;;) { // it hands out a hundred at a time
    const some = await new Promise((done, no) => reader.readEntries(done, no));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map((inner) => below(inner, `${path}/`)))).flat();
}

// Files on their own are an upload each; those of a folder are one together.
async function take(desk, chosen) {
  const groups = new Map(), left = [];
  for (const { file, path } of chosen) {
    const top = path.includes("/") ? path.split("/")[0] : null;
    const endings = top ? desk.data.endings : desk.data.alone;
    if (!file.size || !endings.some((end) => path.toLowerCase().endsWith(end))) { left.push(path); continue; }
    const group = top ? `/${top}` : `${path} ${file.size} ${file.lastModified} ${groups.size}`;
    groups.set(group, [...(groups.get(group) ?? []), { file, path }]);
  }
  notice(desk, leftOut(left, chosen.length, desk.data.alone));
  for (const files of groups.values()) {
    const id = await numberOf(files);
    const old = desk.jobs.get(id);
    const size = files.reduce((sum, { file }) => sum + file.size, 0);
    const name = files[0].path.split("/")[0];
    if (desk.data.entries.some((entry) => entry.id === id && entry.whole)) {
      notice(desk, `${name} is there already.`);
    } else if (!old || old.state !== "sending") {
      desk.jobs.set(id, { id, name, files, size, sent: 0, before: 0, state: "waiting", told: "", rate: 0 });
    }
  }
  next(desk);
}

// What is said of files that are not taken, by name; they are no rasters, or empty.
function leftOut(left, count, endings) {
  if (!count) return "No file is in it. Drop rasters, or products as folders or zipped.";
  if (!left.length) return "";
  const names = left.slice(0, 3).join(", ") + (left.length > 3 ? ` and ${left.length - 3} more` : "");
  return left.length === count
    ? `${names} cannot be used; ${endings.join(", ")} with something in them are taken. Choose rasters, or products zipped.`
    : `${left.length} of ${count} files were left out, no rasters or empty: ${names}.`;
}

// The upload's number: the same file chosen again after a reload goes on where it was.
async function numberOf(files) {
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x3c6ef372];
  const mix = (byte) => {
    a = Math.imul(a ^ byte, 2654435761); b = Math.imul(b ^ byte, 1597334677);
    c = Math.imul(c ^ byte ^ (a >>> 15), 2246822519); d = Math.imul(d ^ byte ^ (b >>> 13), 3266489917);
  };
  for (const { file, path } of files) {
    new TextEncoder().encode(`${path} ${file.size} ${file.lastModified};`).forEach(mix);
    if (files.length > 1) continue; // a product's names say which one it is
    for (const part of [file.slice(0, 65536), file.slice(-65536)]) {
      new Uint8Array(await part.arrayBuffer()).forEach(mix);
    }
  }
  return [a, b, c, d].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

// ---- sending ----

function next(desk) {
  const jobs = [...desk.jobs.values()];
  const free = AT_ONCE - jobs.filter((job) => job.state === "sending").length;
  for (const job of jobs.filter((found) => found.state === "waiting").slice(0, free)) {
    job.state = "sending";
    send(desk, job).then(
      () => { job.state = "whole"; say(desk, `${job.name} is there.`); tell(desk); },
      (error) => {
        if (job.state !== "sending") return; // paused or cancelled
        job.state = "failed";
        job.told = error.message;
        say(desk, `${job.name}: ${error.message}`);
      },
    ).finally(() => next(desk));
  }
  draw(desk);
}

async function send(desk, job) {
  job.abort = new AbortController();
  job.before = 0;
  job.clock = { at: performance.now(), bytes: 0 };
  job.rate = 0;
  for (const { file, path } of job.files) {
    await sendFile(desk, job, file, path);
    job.before += file.size;
  }
}

async function sendFile(desk, job, file, path) {
  const query = new URLSearchParams({ name: path, size: file.size, count: job.files.length });
  const url = `${addressOf(desk)}/${job.id}?${query}`;
  let length = FEWEST, tries = 0, at = null;
  for (;;) {
    try {
      if (at === null) { // where is it? Refusals come here too, before anything is sent
        const told = await (await ask(job, url, {})).json();
        at = told.offset;
        if (told.whole) { progress(desk, job, file.size, false); return; }
        progress(desk, job, at, false);
      }
      const began = performance.now();
      const body = file.slice(at, at + length);
      const answer = await ask(job, `${url}&offset=${at}`, { method: "PUT", body });
      at = Number(answer.headers.get("Upload-Offset"));
      progress(desk, job, at, true);
      if (at >= file.size) return;
      tries = 0;
      const took = performance.now() - began;
      if (took < 1000) length = Math.min(2 * length, MOST);
      else if (took > 4000) length = Math.max(length / 2, FEWEST);
    } catch (error) {
      if (job.abort.signal.aborted || error.last || tries >= WAITS.length) throw error;
      at = null;
      job.told = `${error.message} Trying again in ${WAITS[tries]} s.`;
      draw(desk);
      await pause(job, 1000 * WAITS[tries++]);
      job.told = "";
    }
  }
}

// One request; an error with the server's own line, marked `last` where trying again is no use.
async function ask(job, url, options) {
  const signal = AbortSignal.any([job.abort.signal, AbortSignal.timeout(PATIENCE)]);
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", ...options, signal });
  } catch {
    throw new Error("The server does not answer.");
  }
  if (answer.ok) return answer;
  const error = new Error((await answer.text()).slice(0, 400) || `The server answers ${answer.status}.`);
  error.last = ![408, 409, 423, 502, 503, 504].includes(answer.status);
  throw error;
}

function pause(job, wait) {
  return new Promise((done, no) => {
    setTimeout(done, wait);
    job.abort.signal.addEventListener("abort", () => no(new Error("Stopped.")), { once: true });
  });
}

function addressOf(desk) {
  return `${appRoot()}upload/${desk.data.token}`;
}

function progress(desk, job, at, counts) {
  const sent = job.before + at;
  if (counts) job.clock.bytes += sent - job.sent;
  else if (!job.clock.bytes) job.clock.at = performance.now();
  job.sent = sent;
  const seconds = (performance.now() - job.clock.at) / 1000;
  if (job.clock.bytes && seconds > 0.2) job.rate = job.clock.bytes / seconds;
  draw(desk);
}

// The page's script runs once for files that end together.
function tell(desk) {
  clearTimeout(desk.timer);
  desk.timer = setTimeout(() => desk.changed(), 400);
}

function stop(job, state) {
  job.state = state;
  job.told = "";
  job.abort?.abort();
}

async function removeUpload(desk, id) {
  const job = desk.jobs.get(id);
  if (job) stop(job, "gone");
  try {
    for (let tries = 0; ; tries += 1) { // the slice being cut off takes a moment
      const answer = await fetch(`${addressOf(desk)}/${id}`, { method: "DELETE" });
      if (answer.ok) break;
      if (answer.status !== 423 || tries > 20) throw new Error(await answer.text());
      await new Promise((done) => setTimeout(done, 250));
    }
    desk.jobs.delete(id);
    desk.data.entries = desk.data.entries.filter((entry) => entry.id !== id);
    tell(desk);
  } catch (error) {
    if (job) job.state = "paused";
    notice(desk, error.message);
  }
  next(desk);
}
