// The map of a run inside its frame. Everything but a choice of a tile, or of an area, happens
// here: panning, zooming, layers, opacity and threshold run no script on the server.
"use strict";

window.landslideMap = (map, said) => {
    const root = document.documentElement;
    root.classList.add("landslide", said.dark ? "dark" : "light");
    // The whole run, beside the panel where there is room for both.
    let whole = null; // {center, zoom} of that
    function home(animate) {
        const wide = map.getSize().x >= 720;
        whole = map._getBoundsCenterZoom(said.bounds, {paddingTopLeft: [wide ? 56 : 8, 8],
            paddingBottomRight: [wide ? 296 : 8, 8]});
        map.setView(whole.center, whole.zoom, {animate});
    }
    home(false);
    // Full screen and back, a window made larger: the whole run stays whole.
    map.on("resize", () => {
        const [there, here] = [whole.center, map.getCenter()].map(at => map.latLngToLayerPoint(at));
        if (map.getZoom() === whole.zoom && there.distanceTo(here) < 4) home(false);
    });
    const kept = mapLook(map, said);
    const {look, write} = kept;
    const tell = {}; // what the server knows: a place that was clicked, an area
    function send(news) {
        Object.assign(tell, news, {at: Date.now()});
        Streamlit.setComponentValue({...tell});
    }

    const making = L.DomUtil.create("div", "making"); // said in the corner
    // Rasters: tiles from the server. While it makes the layer ready, a small picture of it.
    function raster(pane, zIndex) {
        map.createPane(pane).style.zIndex = zIndex;
        const bounds = L.latLngBounds(said.bounds);
        let [name, tiles, picture] = ["none", null, null];
        function standIn(layer, opacity) {
            if (!layer.overlay || picture) return;
            picture = L.imageOverlay(layer.overlay, bounds, {pane, opacity}).addTo(map);
        }
        function serve(layer, opacity) {
            const mine = tiles = L.tileLayer(layer.tiles, {pane, opacity, bounds, maxZoom: 20,
                maxNativeZoom: 16, className: layer.smooth ? "" : "hard"});
            mine.once("tileerror", ({tile: {src}}) => { // Leaflet empties it on removal
                if (tiles !== mine) return;
                mine.remove();
                making.textContent = "Making the sharp picture …";
                standIn(layer, mine.options.opacity);
                const again = async left => {
                    const answer = tiles === mine && left ? await fetch(src) : null;
                    if (tiles !== mine) return;
                    if (!answer) making.textContent = "The sharp picture is not made: reload the page";
                    if (!answer) return;
                    if (answer.ok) serve(layer, mine.options.opacity);
                    else setTimeout(again, 2000, left - 1);
                };
                setTimeout(again, 2000, 150);
            });
            mine.on("load", () => {
                if (tiles !== mine || !picture) return;
                making.textContent = "";
                picture.remove();
                picture = null;
            });
            mine.addTo(map);
        }
        return (wanted, opacity) => {
            if (wanted === name) {
                for (const shown of [tiles, picture]) if (shown) shown.setOpacity(opacity);
                return;
            }
            for (const shown of [tiles, picture]) if (shown) shown.remove();
            [name, tiles, picture] = [wanted, null, null];
            making.textContent = "";
            const layer = said.layers.find(found => found.name === wanted);
            if (layer && layer.tiles) serve(layer, opacity);
            else if (layer) standIn(layer, opacity);
        };
    }
    const [lower, upper] = [raster("picture", 210), raster("result", 220)];

    let street = null;
    function streets() {
        if (street) street.remove();
        street = look.base === "osm" ? L.tileLayer(
            "https://tile.openstreetmap.org/{z}/{x}/{y}.png", {maxZoom: 20, maxNativeZoom: 19,
                attribution: '© <a href="https://www.openstreetmap.org/copyright" '
                    + 'target="_blank" rel="noopener">OpenStreetMap</a>'}).addTo(map) : null;
    }

    function changed(news) {
        // What lies on top is seen where no tile is filled; a colouring that was chosen stays.
        if ("result" in news && news.result !== "none" && look.colour === said.look.colour) {
            news.colour = "none";
        }
        Object.assign(look, news);
        if ("result" in news) panel.show();
        lower(look.layer, look.lo);
        upper(look.result, look.ro);
        if ("base" in news) streets();
        if (["colour", "to", "t"].some(key => key in news)) tiles.restyle();
        if ("t" in news) panel.counted();
        if (Object.keys(news).some(key => !["t", "lo", "ro"].includes(key))) panel.legend();
    }
    lower(look.layer, look.lo);
    upper(look.result, look.ro);
    streets();

    // What is said under the map's left corner: the place of the pointer, and what is left out.
    const corner = L.control({position: "bottomleft"});
    const [notes, place] = ["notes", "place"].map(name => L.DomUtil.create("div", name));
    corner.onAdd = () => {
        const element = L.DomUtil.create("div", "corner");
        element.append(making, notes, place);
        return element;
    };
    corner.addTo(map);
    const number = n => n.toLocaleString("en");
    const tiles = mapTiles(map, said, look, answer => {
        const shown = answer.features && answer.features.length;
        notes.textContent = answer.error || (answer.thinned ? `${number(shown)} of `
            + `${number(answer.total)} tiles in view, the gravest, as points: zoom in` : "");
    });
    const panel = mapPanel(map, said, look, changed);
    panel.show();

    const degrees = (value, signs) =>
        `${Math.abs(value).toFixed(5)}°\u00a0${signs[value < 0 ? 1 : 0]}`;
    const figure = value => value === null ? "–" : value.toFixed(2);
    const tip = document.body.appendChild(L.DomUtil.create("div", "tip"));
    tip.hidden = true;
    map.on("mousemove", event => {
        const {lat, lng} = event.latlng.wrap();
        place.textContent = `${degrees(lat, "NS")}, ${degrees(lng, "EW")}`;
        const found = drawing ? null : tiles.at(event.latlng);
        tip.hidden = !found;
        map.getContainer().style.cursor = found ? "pointer" : "";
        if (!found) return;
        const {facts} = found;
        const verdict = said.verdicts.find(one => one.name === facts.verdict).words;
        tip.textContent = [`Tile ${facts.tile}`,
            verdict + (facts.masked ? ", no alarm: flat ground" : ""),
            `Probability ${figure(facts.probability)}`,
            `Spread ${figure(facts.spread)}`,
            ...(tiles.labelOf(facts) ? [`Review: ${tiles.labelOf(facts)}`] : [])].join("\n");
        const {clientX: x, clientY: y} = event.originalEvent;
        const [wide, high] = [tip.offsetWidth, tip.offsetHeight];
        tip.style.left = `${x + 16 + wide > innerWidth ? x - wide - 12 : x + 16}px`;
        tip.style.top = `${y + 16 + high > innerHeight ? y - high - 12 : y + 16}px`;
    });
    map.on("mouseout movestart", () => { tip.hidden = true; });

    // One click chooses a tile; two, or Enter, open its decision.
    let [waiting, chosen] = [null, null];
    const open = ({lat, lng}) => send({place: [lat, lng], open: true});
    map.doubleClickZoom.disable();
    map.on("click", ({latlng}) => {
        if (drawing) return;
        const found = tiles.at(latlng);
        if (found && found.ring) tiles.select(found.ring);
        clearTimeout(waiting);
        waiting = setTimeout(() => send({place: [latlng.lat, latlng.lng], open: false}), 220);
    });
    map.on("dblclick", ({latlng}) => {
        if (drawing) return;
        clearTimeout(waiting);
        if (tiles.at(latlng)) open(latlng);
        else map.setZoomAround(latlng, map.getZoom() + 1);
    });
    map.getContainer().addEventListener("keydown", event => {
        if (event.key === "Enter" && event.target === map.getContainer() && chosen) open(chosen);
    });

    // An area of interest: one at a time.
    let drawing = null;
    const area = L.featureGroup().addTo(map);
    // No verdict's colour and no dashes, which mean uncertain; map.css puts it over the tiles, in
    // a light casing.
    const pen = {color: "#d6007f", weight: 3, opacity: 1, fill: false, interactive: false};
    function outline(kind) {
        const was = drawing && drawing.type;
        if (drawing) drawing.disable();
        if (was === kind) return;
        const options = {shapeOptions: pen, showArea: false, metric: true, allowIntersection: false};
        drawing = kind === "polygon" ? new L.Draw.Polygon(map, options)
            : new L.Draw.Rectangle(map, options);
        drawing.enable();
        root.classList.add("drawing"); // the panels let the mouse through meanwhile
        marks();
    }
    function enclose(layer) {
        area.clearLayers().addLayer(layer);
        send({area: layer.toGeoJSON(6).geometry, place: null});
        marks();
    }
    map.on("draw:created", ({layer}) => {
        kept.keep(layer.getLatLngs()[0]);
        enclose(layer);
    });
    map.on("draw:drawstop", () => setTimeout(() => {
        drawing = null;
        root.classList.remove("drawing");
        marks();
    }, 0));

    function forget() {
        area.clearLayers();
        kept.keep([]);
        send({area: null, place: null});
        marks();
    }
    const button = mapButtons(map);
    button("home", "Show the whole run", () => home(true));
    const full = button("full", "Full screen", () => {
        if (document.fullscreenElement) document.exitFullscreen();
        else root.requestFullscreen();
    });
    full.hidden = !document.fullscreenEnabled;
    const tools = {
        polygon: button("polygon", "Draw an area of interest", () => outline("polygon")),
        rectangle: button("rectangle", "Draw a rectangle of interest", () => outline("rectangle")),
    };
    const eraser = button("erase", "Remove the area of interest", forget);
    function marks() {
        for (const [kind, tool] of Object.entries(tools)) {
            tool.setAttribute("aria-pressed", String(Boolean(drawing && drawing.type === kind)));
        }
        eraser.hidden = !area.getLayers().length;
    }
    marks();
    if (kept.area().length) enclose(L.polygon(kept.area(), pen)); // a link, or back on the page
    new ResizeObserver(() => map.invalidateSize()).observe(map.getContainer());
    map.on("moveend", write);

    // What the server chose: a tile of the table, or the one just clicked, with its outline.
    const select = ring => {
        chosen = ring ? L.latLngBounds(ring).getCenter() : null;
        tiles.select(ring);
        if (chosen && !map.getBounds().contains(chosen)) map.panTo(chosen);
    };
    const reviewed = labels => {
        tiles.label(labels);
        panel.label(labels);
    };
    return {map, look, select, reviewed, tiles: tiles.all, send};
};

// Buttons under each other at the top left, with pictures of our own.
window.mapButtons = map => {
    const icons = {
        home: "M3 10 10 4l7 6M5.5 8.5V16h9V8.5",
        full: "M4 8V4h4M12 4h4v4M16 12v4h-4M8 16H4v-4",
        polygon: "M5 15 3.5 7 10 3.5 16.5 8 13 16Z",
        rectangle: "M4 5.5h12v9H4Z",
        erase: "M5 5l10 10M15 5 5 15",
    };
    const control = L.control({position: "topleft"});
    const box = L.DomUtil.create("div", "leaflet-bar buttons");
    control.onAdd = () => box;
    control.addTo(map);
    L.DomEvent.disableClickPropagation(box);
    return (icon, title, act) => {
        const made = Object.assign(document.createElement("button"), {type: "button", title});
        made.setAttribute("aria-label", title);
        made.innerHTML = `<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${icons[icon]}"/></svg>`;
        made.addEventListener("click", act);
        box.append(made);
        return made;
    };
};
