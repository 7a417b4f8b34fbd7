// Coastlines, borders and names of countries under all else on a map; beside a close view, where
// that lies. said: {url, colours: {sea, land, coast, border, ink, mark}}.
"use strict";

window.landslideOutlines = async (map, said) => {
    const world = await fetch(said.url).then(answer => answer.ok && answer.json()).catch(() => null);
    if (!world || !map.getPane("mapPane")) return; // the map does without, or is gone
    const paint = outlinePainter(outlineShapes(world), said.colours);
    const CLOSEST = 10.5; // zoom; the lines are some kilometres off, which would be seen any closer
    const pane = map.createPane("outlines");
    Object.assign(pane.style, {zIndex: 150, pointerEvents: "none"}); // under a street map
    // Leaflet's own renderer: it paints when a move has ended, and is shifted and scaled meanwhile.
    const Outlines = L.Canvas.extend({_draw() {
        const {min, max} = this._bounds;
        if (map.getZoom() > CLOSEST) return;
        this._ctx.save();
        this._ctx.translate(min.x, min.y);
        paint(this._ctx, map.getZoom(), map.getPixelOrigin().add(min), max.subtract(min));
        this._ctx.restore();
    }});
    new Outlines({pane: "outlines", padding: 0.25, attribution: '<a target="_blank" '
        + 'href="https://www.naturalearthdata.com" rel="noopener">Natural Earth</a>'}).addTo(map);
    outlineInset(map, paint, said.colours);
};

// A small map of the country around, in a corner, once a view is too close to tell.
window.outlineInset = (map, paint, colours) => {
    const [FROM, ZOOM] = [7, 3.75]; // of the map, its own
    const inset = L.control({position: "bottomright"});
    const canvas = L.DomUtil.create("canvas", "inset");
    Object.assign(canvas.style, {pointerEvents: "none", border: `1px solid ${colours.coast}`,
        background: colours.land});
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Where on the Earth the map lies");
    inset.onAdd = () => canvas;
    inset.addTo(map);
    function show() {
        canvas.hidden = map.getZoom() < FROM;
        if (canvas.hidden) return;
        const view = map.getSize();
        const wide = Math.round(Math.max(96, Math.min(168, 0.26 * view.x)));
        const size = L.point(wide, Math.round(0.72 * wide));
        [canvas.width, canvas.height] = [2 * size.x, 2 * size.y]; // sharp on any screen
        Object.assign(canvas.style, {width: `${size.x}px`, height: `${size.y}px`});
        const pen = canvas.getContext("2d");
        pen.scale(2, 2);
        const middle = size.divideBy(2);
        const scale = map.getZoomScale(ZOOM, map.getZoom());
        const mark = L.point(Math.max(5, view.x * scale), Math.max(5, view.y * scale));
        paint(pen, ZOOM, map.project(map.getCenter(), ZOOM).subtract(middle), size, mark);
        const corner = middle.subtract(mark.divideBy(2));
        Object.assign(pen, {strokeStyle: colours.mark, lineWidth: 2});
        pen.strokeRect(corner.x, corner.y, mark.x, mark.y);
    }
    map.on("moveend resize", show);
    show();
};

// paint(pen, zoom, corner, size, mark): the part of the endless world at a corner, in pixels of
// the zoom. Where a mark of some size is to lie in the middle, names are under it, and whole.
window.outlinePainter = ({rings, lines, names}, colours) => {
    const NAMED = 7.5; // the closest zoom with names: from there on few countries fit the map
    const FONT = "500 11px 'Source Sans', 'Source Sans Pro', Arial, sans-serif";
    const FINE = 0.7; // pixels; what is nearer to the point before is left out
    const placed = new Map(); // zoom -> names

    // The names that have room at a zoom, the largest country first, whatever the view is: none
    // comes or goes as the map is moved.
    function place(pen, zoom, width) {
        if (placed.has(zoom)) return placed.get(zoom);
        const kept = [];
        for (const {name, alone, room, x, y} of names) {
            const half = pen.measureText(name).width / 2;
            // Over its own land, or a little more; an island's may lie over the sea.
            const fits = alone && zoom >= 4 || room * width > half * (alone ? 0.5 : 1.05);
            const free = fits && kept.every(other => {
                const away = Math.abs(other.x - x - Math.round(other.x - x)) * width;
                return away > half + other.half + 6 || Math.abs(other.y - y) * width > 15;
            });
            if (free) kept.push({name, x, y, half});
        }
        placed.set(zoom, kept);
        return kept;
    }

    return (pen, zoom, corner, size, mark = null) => {
        const width = 256 * 2 ** zoom;
        const [left, top] = [corner.x / width, corner.y / width];
        const [right, bottom] = [left + size.x / width, top + size.y / width];
        // Calls with every turn of the world in which what lies from west to east is in view.
        function turned(west, east, draw) {
            for (let turn = Math.ceil(left - east); west + turn <= right; turn++) draw(turn);
        }
        function trace({points, box: [west, north, east, south]}) {
            if (south < top || north > bottom) return;
            turned(west, east, turn => {
                let lastX = Infinity;
                let lastY = Infinity;
                for (let i = 0; i < points.length; i += 2) {
                    const x = (points[i] + turn - left) * width;
                    const y = (points[i + 1] - top) * width;
                    const near = Math.abs(x - lastX) < FINE && Math.abs(y - lastY) < FINE;
                    if (near && i < points.length - 2) continue;
                    if (i) pen.lineTo(x, y);
                    else pen.moveTo(x, y);
                    lastX = x;
                    lastY = y;
                }
            });
        }
        const north = Math.max(0, -corner.y);
        pen.fillStyle = colours.sea;
        pen.fillRect(0, north, size.x, Math.min(size.y, width - corner.y) - north);
        pen.fillStyle = colours.land;
        pen.beginPath();
        rings.forEach(trace);
        pen.fill("evenodd");
        Object.assign(pen, {lineJoin: "round", lineWidth: 1});
        for (const border of [true, false]) {
            pen.strokeStyle = border ? colours.border : colours.coast;
            pen.beginPath();
            lines.filter(line => line.border === border).forEach(trace);
            pen.stroke();
        }
        if (zoom > NAMED) return;
        Object.assign(pen, {font: FONT, textAlign: "center", textBaseline: "middle",
            fillStyle: colours.ink, strokeStyle: colours.land, lineWidth: 3});
        for (const {name, x, y, half} of place(pen, zoom, width)) {
            turned(x - half / width, x + half / width, turn => {
                const across = (x + turn - left) * width;
                let down = (y - top) * width;
                if (mark) {
                    const [aside, below] = [Math.abs(across - size.x / 2), down - size.y / 2];
                    const under = aside < mark.x / 2 + half && Math.abs(below) < mark.y / 2 + 8;
                    if (under) down = (size.y + mark.y) / 2 + 9;
                    if (aside > size.x / 2 - half || down < 7 || down > size.y - 7) return;
                }
                pen.strokeText(name, across, down);
                pen.fillText(name, across, down);
            });
        }
    };
};
