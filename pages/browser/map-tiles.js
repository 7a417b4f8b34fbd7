// The tiles of the run: fetched for what is in view, drawn on a canvas, found under the pointer.
"use strict";

window.mapTiles = (map, said, look, told) => {
    map.createPane("fills").style.zIndex = 215; // over the picture, under what lies "on top"
    map.createPane("tiles").style.zIndex = 420;
    map.createPane("ring").style.zIndex = 430;
    const [below, above] = ["fills", "tiles"].map(pane => L.canvas({pane, padding: 0.2}));
    const group = L.layerGroup().addTo(map);
    let drawn = []; // {facts, layers: [[layer, part]], box, ring}, the gravest last
    let loaded = null; // bounds of which every tile is drawn
    let request = null;

    const rank = Object.fromEntries(said.verdicts.map((verdict, i) => [verdict.name, i]));

    function fill(facts) {
        if (look.colour === "none") return null;
        if (look.colour === "verdict") return said.verdicts[rank[facts.verdict]].colour;
        const {colours, top} = said.scales[look.colour];
        const value = facts[look.colour];
        if (value === null) return null;
        return colours[Math.round(Math.min(value / top, 1) * (colours.length - 1))];
    }

    // The fill tells the chosen figure, the outline the verdict whatever the fill. Parts: "fill",
    // "casing" and "line"; a "dot" is fill and line in one.
    function style(facts, part) {
        const isCasing = part === "casing";
        const faded = look.t > 0 && !(facts.probability >= look.t);
        const grave = facts.verdict === "landslide" || facts.verdict === "uncertain";
        const faint = rank[facts.verdict] < 2; // no data, filtered out
        const strength = look.to === 0 ? 0 : faded ? 0.12 : faint ? 0.45 : 1;
        const colour = fill(facts);
        return {
            fill: part === "fill" || part === "dot", fillColor: colour || "#888888",
            fillOpacity: colour ? look.to * strength : 0, stroke: part !== "fill",
            color: grave && !isCasing ? "#ffffff" : "#10202c",
            opacity: strength * (isCasing ? 0.65 : grave ? 1 : 0.35),
            weight: isCasing ? 4 : facts.verdict === "landslide" ? 2.2 : grave ? 1.6 : 0.6,
            dashArray: isCasing ? null
                : facts.masked ? "1 5" : facts.verdict === "uncertain" ? "5 4" : null,
        };
    }

    function restyle() {
        for (const {facts, layers} of drawn) {
            for (const [layer, part] of layers) layer.setStyle(style(facts, part));
        }
    }

    function shapes(feature) {
        const {geometry, properties: facts} = feature;
        const options = part => ({renderer: part === "fill" ? below : above, interactive: false,
            ...style(facts, part)});
        if (geometry.type === "Point") {
            const [lng, lat] = geometry.coordinates;
            const dot = L.circleMarker([lat, lng], {...options("dot"), radius: 4});
            return {facts, layers: [[dot, "dot"]], box: L.latLngBounds([[lat, lng]]), ring: null};
        }
        const ring = geometry.coordinates[0].map(([lng, lat]) => [lat, lng]);
        const box = L.latLngBounds(ring);
        // Tiles that overlap would stack their colours, which no legend could tell: of each only
        // the middle is drawn, where no other tile's middle is.
        const {lat: y, lng: x} = box.getCenter();
        const seen = ring.map(([lat, lng]) =>
            [y + said.share * (lat - y), x + said.share * (lng - x)]);
        // A dark line under the white one: it reads on snow as well as on water.
        const grave = facts.verdict === "landslide" || facts.verdict === "uncertain";
        const layers = ["fill", ...(grave ? ["casing"] : []), "line"]
            .map(part => [L.polygon(seen, options(part)), part]);
        return {facts, layers, box, ring};
    }

    function draw(answer) {
        group.clearLayers();
        drawn = answer.features.map(shapes);
        for (const {layers} of drawn) for (const [layer] of layers) group.addLayer(layer);
        dot();
        told(answer);
    }

    async function load() {
        if (!said.features || (loaded && loaded.contains(map.getBounds()))) return;
        if (request) request.abort();
        request = new AbortController();
        const box = map.getBounds().pad(0.2);
        const limits = [Math.max(box.getWest(), -720), Math.max(box.getSouth(), -90),
            Math.min(box.getEast(), 720), Math.min(box.getNorth(), 90)];
        try {
            const address = `${said.features}&bbox=${limits.map(v => v.toFixed(6)).join(",")}`;
            const answer = await fetch(address, {signal: request.signal});
            if (!answer.ok) throw new Error(`The tiles could not be loaded (${answer.status}).`);
            const found = await answer.json();
            loaded = found.thinned ? null : box;
            draw(found);
        } catch (error) {
            if (error.name !== "AbortError") told({error: error.message});
        }
    }

    function holds(ring, {lat, lng}) {
        let is = false;
        for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
            const [a, b] = [ring[i], ring[j]];
            if ((a[0] > lat) !== (b[0] > lat)
                && lng < (b[1] - a[1]) * (lat - a[0]) / (b[0] - a[0]) + a[1]) is = !is;
        }
        return is;
    }

    // The tile under a place, of several the one whose middle is nearest; points within reach.
    function at(place) {
        const here = map.latLngToContainerPoint(place);
        let [best, least] = [null, Infinity];
        for (let i = drawn.length - 1; i >= 0; i--) {
            const {ring, box} = drawn[i];
            if (ring && !(box.contains(place) && holds(ring, place))) continue;
            const far = map.latLngToContainerPoint(box.getCenter()).distanceTo(here);
            if (far < least && (ring || far < 8)) [best, least] = [drawn[i], far]; // pixels
        }
        return best;
    }

    const rings = L.layerGroup().addTo(map);
    const pen = L.svg({pane: "ring"});
    function select(ring) {
        rings.clearLayers();
        if (!ring) return;
        for (const [color, weight] of [["#000000", 7], ["#ffffff", 4], ["#0b6a82", 1.5]]) {
            L.polygon(ring, {color, weight, fill: false, interactive: false,
                renderer: pen}).addTo(rings);
        }
    }

    // What reviewers said: a dot in the middle of each tile that has a label.
    const dots = L.layerGroup().addTo(map);
    const spot = L.canvas({pane: "ring", padding: 0.2});
    let labels = {}; // tile -> label
    const labelOf = facts => labels[facts.tile] && said.labels[labels[facts.tile]].words;
    function dot() {
        dots.clearLayers();
        for (const {facts, box} of drawn) {
            if (!labelOf(facts)) continue;
            L.circleMarker(box.getCenter(), {radius: 5, weight: 2, color: "#10202c", fillOpacity: 1,
                fillColor: said.labels[labels[facts.tile]].colour, interactive: false,
                renderer: spot}).addTo(dots);
        }
    }
    function label(told) {
        labels = told;
        dot();
    }

    let timer = null;
    map.on("moveend", () => { clearTimeout(timer); timer = setTimeout(load, 120); });
    if (said.inline) draw(said.inline);
    load();
    return {restyle, at, select, label, labelOf, all: () => drawn};
};
