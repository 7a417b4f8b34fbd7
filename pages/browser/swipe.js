// Two pictures of one place: on one map under a divider, or on two maps that move together.
// data: {key, mode: "swipe" | "side", bounds: [[s, w], [n, e]], left, right, leaflet};
// a side: {label, when, pictures: [{url, tiled}]}, from the bottom up. Texts are set as text,
// never as HTML.

const told = new WeakMap(); // what a place of the page was told last
const shown = new WeakMap(); // what is drawn in it
const kept = new Map(); // view and divider of a scene, while the page stays open

export default async function ({ data, parentElement }) {
  told.set(parentElement, data);
  await loaded(data.leaflet.js);
  await styled(data.leaflet.css, parentElement);
  if (told.get(parentElement) !== data) return undefined; // the later call draws
  let show = shown.get(parentElement);
  if (show && (show.mode !== data.mode || show.key !== data.key)) {
    show.close();
    show = null;
  }
  if (!show) {
    show = open(data, parentElement);
    shown.set(parentElement, show);
  }
  show.draw(data);
  return () => { if (!parentElement.isConnected) shown.get(parentElement)?.close(); };
}

function element(kind, name, parent) {
  const made = document.createElement(kind);
  made.className = name;
  parent.append(made);
  return made;
}

function open(data, parent) {
  const host = element("div", `look ${data.mode}`, parent);
  const sides = data.mode === "side" ? ["left", "right"] : ["both"];
  const maps = sides.map((side) => mapIn(element("div", `map ${side}`, host), data));
  const [first] = maps;
  const last = maps[maps.length - 1];
  const panes = { left: pane(first, "left"), right: pane(last, "right") };
  const before = kept.get(data.key);
  maps.forEach((map) => {
    if (before?.centre) map.setView(before.centre, before.zoom, { animate: false });
    else map.fitBounds(data.bounds, { animate: false });
  });
  const view = () => ({ centre: first.getCenter(), zoom: first.getZoom() });
  let fitted = before?.centre ? null : view();
  const isWhole = () => fitted?.zoom === first.getZoom() && fitted.centre.equals(first.getCenter());
  if (maps.length === 2) together(first, last);
  L.control.scale({ imperial: false }).addTo(first);
  buttons(host, () => first.fitBounds(data.bounds)).addTo(first);
  const readout = element("output", "readout", host);
  maps.forEach((map) => map.on("mousemove", (e) => { readout.textContent = place(e.latlng); }));
  maps.forEach((map) => map.on("mouseout", () => { readout.textContent = ""; }));
  const divider = data.mode === "swipe" ? dividerOf(host, first, panes, before?.share ?? 0.5) : null;
  const badges = { left: element("div", "badge left", host), right: element("div", "badge right", host) };
  // What was fitted is fitted anew in another size, full screen among it.
  const grow = new ResizeObserver(() => {
    const whole = isWhole();
    maps.forEach((map) => map.invalidateSize());
    if (!whole) return;
    first.fitBounds(data.bounds, { animate: false });
    fitted = view();
  });
  grow.observe(host);
  const drawn = {};
  return {
    mode: data.mode,
    key: data.key,
    draw(next) {
      for (const [side, map] of [["left", first], ["right", last]]) {
        badge(badges[side], next[side]);
        const said = JSON.stringify(next[side].pictures);
        if (drawn[side]?.said === said) continue;
        const { label } = next[side];
        if (drawn[side] && drawn[side].label !== label) drawn[side].group.remove(); // no mixture
        const group = pictures(map, side, next, drawn[side]?.group, badges[side]);
        drawn[side] = { said, label, group };
      }
      divider?.name(next.left.label, next.right.label);
    },
    close() {
      const share = divider ? divider.share() : before?.share;
      const { centre, zoom } = view();
      kept.set(data.key, { centre: isWhole() ? null : centre, zoom, share }); // or fitted anew
      grow.disconnect();
      maps.forEach((map) => map.remove());
      host.remove();
      shown.delete(parent);
    },
  };
}

function mapIn(box, data) {
  const map = L.map(box, {
    zoomSnap: 0.25,
    zoomAnimation: data.mode === "swipe", // two maps in step cannot both be animated
    zoomControl: false,
    maxZoom: 19,
  });
  if (!box.matches(".right")) L.control.zoom({ position: "topleft" }).addTo(map);
  mapManners(map, data.bounds);
  map.attributionControl.setPrefix(
    '<a href="https://leafletjs.com" target="_blank" rel="noopener">Leaflet</a>'
  );
  return map;
}

function pane(map, side) {
  const made = map.createPane(side);
  made.style.zIndex = 350;
  return made;
}

// Every move of one map is the other's; a guard keeps them from answering each other.
function together(one, other) {
  let busy = false;
  const follow = (from, to) => from.on("move", () => {
    if (busy) return;
    busy = true;
    to.setView(from.getCenter(), from.getZoom(), { animate: false });
    busy = false;
  });
  follow(one, other);
  follow(other, one);
  for (const [from, to] of [[one, other], [other, one]]) {
    const mark = L.circleMarker([0, 0], { radius: 7, weight: 2, color: "#fff", fill: false, interactive: false });
    from.on("mousemove", (e) => mark.setLatLng(e.latlng).addTo(to));
    from.on("mouseout", () => mark.remove());
  }
}

// Draw a side's pictures; the old ones of the same layer go once the new ones are there.
function pictures(map, side, data, old, says) {
  const group = L.layerGroup(data[side].pictures.map(({ url, tiled }) => {
    const address = url.replace(/^(\.\.\/)+/, appRoot()); // addresses are as seen from a map's frame
    return tiled
      ? L.tileLayer(address, { pane: side, bounds: data.bounds, maxNativeZoom: 16, maxZoom: 19 })
      : L.imageOverlay(address, data.bounds, { pane: side });
  }));
  let waiting = data[side].pictures.length;
  says.classList.add("waiting");
  says.classList.remove("failed");
  const settled = () => {
    waiting -= 1;
    if (waiting > 0) return;
    old?.remove();
    says.classList.remove("waiting");
  };
  group.eachLayer((layer) => {
    layer.once("load error", settled);
    layer.on("error tileerror", () => says.classList.add("failed"));
  });
  return group.addTo(map);
}

function badge(box, { label, when }) {
  box.replaceChildren();
  element("strong", "", box).textContent = label;
  if (when) element("span", "", box).textContent = when;
}

function place({ lat, lng }) {
  const wrapped = ((lng + 540) % 360) - 180;
  const north = `${Math.abs(lat).toFixed(5)}° ${lat < 0 ? "S" : "N"}`;
  return `${north}, ${Math.abs(wrapped).toFixed(5)}° ${wrapped < 0 ? "W" : "E"}`;
}

function buttons(host, whole) {
  const control = L.control({ position: "topleft" });
  control.onAdd = () => {
    const bar = L.DomUtil.create("div", "leaflet-bar");
    const add = (name, title, act) => {
      const made = element("button", `tool ${name}`, bar);
      made.type = "button";
      made.title = title;
      made.setAttribute("aria-label", title);
      made.addEventListener("click", act);
    };
    add("whole", "Whole scene", whole);
    add("full", "Full screen", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else host.requestFullscreen();
    });
    L.DomEvent.disableClickPropagation(bar);
    return bar;
  };
  return control;
}

// The divider: dragged, or moved by keys; the two panes are clipped at it.
function dividerOf(host, map, panes, start) {
  let share = start;
  const line = element("div", "divider", host);
  line.tabIndex = 0;
  line.setAttribute("role", "slider");
  line.setAttribute("aria-orientation", "horizontal");
  line.setAttribute("aria-valuemin", "0");
  line.setAttribute("aria-valuemax", "100");
  element("div", "handle", line).textContent = "⇔";
  let names = ["", ""];
  const clip = () => {
    const size = map.getSize();
    const start = map.containerPointToLayerPoint([0, 0]);
    const end = map.containerPointToLayerPoint(size);
    const middle = start.x + size.x * share;
    panes.left.style.clipPath = box(start.x, start.y, middle, end.y);
    panes.right.style.clipPath = box(middle, start.y, end.x, end.y);
  };
  const move = (to) => {
    share = Math.min(1, Math.max(0, to));
    const percent = Math.round(100 * share);
    line.style.left = `${100 * share}%`;
    line.setAttribute("aria-valuenow", percent);
    line.setAttribute("aria-valuetext", `${names[0]} on the left ${percent} %, ${names[1]} on the rest`);
    clip();
  };
  const drag = (event) => {
    const edge = host.getBoundingClientRect();
    move((event.clientX - edge.left) / edge.width);
  };
  line.addEventListener("pointerdown", (event) => {
    line.setPointerCapture(event.pointerId);
    line.addEventListener("pointermove", drag);
    line.focus({ preventScroll: true });
    event.preventDefault();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    line.addEventListener(end, () => line.removeEventListener("pointermove", drag));
  }
  line.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 0.02;
    const to = { ArrowLeft: share - step, ArrowRight: share + step, ArrowDown: share - step,
      ArrowUp: share + step, PageDown: share - 0.1, PageUp: share + 0.1, Home: 0, End: 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    move(to);
  });
  map.on("move zoom viewreset resize", clip);
  move(share);
  return {
    share: () => share,
    name(left, right) {
      names = [left, right];
      line.setAttribute("aria-label", `Divider between ${left} and ${right}`);
      move(share);
    },
  };
}

function box(west, north, east, south) {
  return `polygon(${west}px ${north}px, ${east}px ${north}px, ${east}px ${south}px, ${west}px ${south}px)`;
}
