// The tile to judge: a large picture that can be moved, zoomed and drawn on, small ones to choose.
// Positions are pixels of the picture, x to the right and y down; Leaflet is told (-y, x).

const at = ([x, y]) => [-y, x];
const KEPT = "landslide-review-picture"; // which picture was looked at last, in this browser

function add(parent, tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  parent.append(element);
  return element;
}

async function leaflet({scripts, styles}) {
  for (const url of styles) styled(url);
  for (const url of scripts) await loaded(url);
}

class Picture {
  constructor(root, said) {
    this.said = said;
    this.tools = add(root, "div", "review-tools");
    this.ground = add(root, "div", "review-map");
    this.small = add(root, "div", "review-row");
    this.name = add(this.tools, "span", "review-name");
    this.buttons = {
      next: this.tool("Next picture", "V", "review-next-picture", () => this.step()),
      around: this.tool("Surroundings", "S", "review-around", () => this.look(!this.wide)),
      draw: this.tool("Draw outline", "O", "review-draw", () => this.draw()),
      edit: this.tool("Move corners", "", "review-edit", () => this.turn("edit")),
      remove: this.tool("Remove a part", "", "review-remove", () => this.turn("remove")),
    };
    this.doing = "";
  }

  tool(text, key, className, act) {
    const button = add(this.tools, "button", className, text);
    button.type = "button";
    if (key) add(button, "kbd", "", key);
    button.onclick = act;
    return button;
  }

  start(data) {
    this.ground.style.height = `${data.height}px`;
    this.map = L.map(this.ground, {
      crs: L.CRS.Simple, attributionControl: false, keyboard: false, minZoom: -1, maxZoom: 6,
      zoomSnap: 0.25, zoomAnimation: false, doubleClickZoom: false, boxZoom: false,
    });
    mapManners(this.map);
    this.shapes = L.featureGroup().addTo(this.map);
    this.map.on("draw:created", ({layer}) => { this.join(layer.getLatLngs()); this.mode(""); this.tell(); });
    this.map.on("draw:canceled", () => this.mode(""));
    this.wide = false;
    // The page may not have given it its width yet.
    this.watch = new ResizeObserver(() => { this.map.invalidateSize(); if (!this.moved && !this.doing) this.look(this.wide); });
    this.watch.observe(this.ground);
    this.map.on("zoomstart dragstart", () => { this.moved = !this.looking; });
  }

  show(data) {
    const other = !this.data || this.data.key !== data.key;
    const anew = this.doing === "draw" && this.data.tile === data.tile; // while the last was dropped
    const fresh = !this.data || JSON.stringify(this.data.pictures) !== JSON.stringify(data.pictures);
    this.data = data;
    if (fresh) this.look(this.wide); // first: Leaflet draws nothing before it knows where to look
    if (fresh) this.thumbnails();
    if (other) {
      if (!anew) this.mode("");
      this.shapes.clearLayers();
      data.rings.forEach((part) => this.join(part.map((ring) => ring.map(at))));
    }
    this.refresh();
  }

  thumbnails() {
    this.small.replaceChildren();
    this.data.pictures.forEach(({name, url}, i) => {
      const button = add(this.small, "button", "review-small");
      button.type = "button";
      add(button, "div", "").style.backgroundImage = `url("${url}")`;
      add(button, "span", "", name);
      button.onclick = () => this.choose(i);
    });
    const last = window.localStorage.getItem(KEPT);
    this.choose(Math.max(0, this.data.pictures.findIndex(({name}) => name === last)), false);
  }

  choose(i, keep = true) {
    const {side, around, pictures} = this.data, {name, url} = pictures[i];
    this.chosen = i;
    if (keep) window.localStorage.setItem(KEPT, name);
    this.name.textContent = name;
    [...this.small.children].forEach((one, k) => one.setAttribute("aria-pressed", String(k === i)));
    const bounds = [at([0, side]), at([side, 0])];
    const before = this.image;
    this.image = L.imageOverlay(url, bounds, {alt: name}).addTo(this.map);
    before?.remove();
    this.frame?.forEach((line) => line.remove());
    const inner = [at([around, side - around]), at([side - around, around])];
    this.frame = [["#000000", 4], ["#ffffff", 2]].map(([color, weight]) =>
      L.rectangle(inner, {color, weight, fill: false, interactive: false}).addTo(this.map));
    this.frame.reverse().forEach((line) => line.bringToBack()); // under the outline
  }

  step() { this.choose((this.chosen + 1) % this.data.pictures.length); }

  look(wide) {
    const {side, around} = this.data, edge = wide ? 0 : around - 5;
    this.wide = wide;
    this.looking = true;
    this.map.fitBounds([at([edge, side - edge]), at([side - edge, edge])], {animate: false});
    this.looking = this.moved = false;
    this.buttons.around.setAttribute("aria-pressed", String(wide));
  }

  // Adds a polygon of (lat, lng) rings.
  join(rings) {
    const shape = L.polygon(rings, {color: "#e69f00", weight: 3, fillOpacity: 0.08});
    shape.on("edit", () => this.tell());
    shape.on("click", () => {
      if (this.doing !== "remove") return;
      this.shapes.removeLayer(shape);
      this.mode("");
      this.tell();
    });
    this.shapes.addLayer(shape);
  }

  turn(wanted) { this.mode(this.doing === wanted ? "" : wanted); }

  draw() {
    this.turn("draw");
    if (this.doing !== "draw") return;
    this.pen = new L.Draw.Polygon(this.map, {
      allowIntersection: false, showLength: false, showArea: false,
      shapeOptions: {color: "#e69f00", weight: 3},
    });
    this.pen.enable();
  }

  // What the pointer does: "draw", "edit", "remove", or "" for nothing but moving the picture.
  mode(wanted) {
    const pen = this.pen;
    this.doing = wanted;
    this.pen = null;
    pen?.disable();
    this.shapes.eachLayer((shape) => (wanted === "edit" ? shape.editing.enable() : shape.editing.disable()));
    this.refresh();
  }

  refresh() {
    const some = this.shapes.getLayers().length > 0;
    for (const name of ["draw", "edit", "remove"]) {
      this.buttons[name].disabled = !this.data.editable || (name !== "draw" && !some);
      this.buttons[name].setAttribute("aria-pressed", String(this.doing === name));
    }
  }

  tell() {
    const rings = this.shapes.getLayers().map((shape) =>
      shape.getLatLngs().map((ring) => ring.map(({lat, lng}) => [lng, -lat])));
    this.said("drawn", {key: this.data.key, rings});
  }

  end() {
    this.watch.disconnect();
    this.map.remove();
    for (const part of [this.tools, this.ground, this.small]) part.remove();
  }
}

export default function ({data, parentElement, setStateValue}) {
  const root = parentElement;
  root.reviewData = data;
  root.reviewPicture ??= leaflet(data).then(() => {
    root.querySelector(".review-trouble")?.remove();
    const made = new Picture(root, setStateValue);
    made.start(root.reviewData);
    return made;
  });
  root.reviewPicture.then((picture) => {
    picture.said = setStateValue;
    if (picture.data !== root.reviewData) picture.show(root.reviewData);
  }, (error) => {
    root.reviewPicture = null;
    root.querySelector(".review-trouble")?.remove();
    add(root, "p", "review-trouble", error.message);
  });
  return () => {
    if (root.isConnected) return;
    root.reviewPicture?.then((picture) => picture.end());
    root.reviewPicture = null;
  };
}
