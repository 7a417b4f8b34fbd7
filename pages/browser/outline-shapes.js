// Shapes of countries out of TopoJSON: every stretch of coast or border once, as whole numbers, each
// the step from the one before.
"use strict";

// {rings, lines, names} on a world of width 1 in the map's projection. Points are x, y, x, y, …;
// what crosses 180° goes on beyond the edge.
window.outlineShapes = ({arcs, objects, transform: {scale: [sx, sy], translate: [tx, ty]}}) => {
    const stretches = arcs.map(steps => {
        const points = new Float64Array(2 * steps.length);
        let [x, y] = [0, 0];
        steps.forEach((step, i) => {
            x += step[0];
            y += step[1];
            const slope = Math.tan(Math.max(-85.06, Math.min(85.06, y * sy + ty)) * Math.PI / 180);
            points[2 * i] = (x * sx + tx + 180) / 360;
            points[2 * i + 1] = 0.5 - Math.asinh(slope) / (2 * Math.PI);
        });
        return points;
    });
    // Stretches one after the other, the negative ones backwards, without a jump from one edge of
    // the world to the other.
    function joined(parts) {
        const points = [];
        let last = null;
        for (const part of parts) {
            const stretch = stretches[part < 0 ? ~part : part];
            for (let i = 0; i < stretch.length; i += 2) {
                const from = part < 0 ? stretch.length - 2 - i : i;
                const x = stretch[from];
                last = last === null ? x : x - Math.round(x - last);
                points.push(last, stretch[from + 1]);
            }
        }
        return points;
    }
    function ring(parts) {
        const points = joined(parts);
        const [first, last] = [points[0], points.at(-2)];
        if (Math.abs(first - last) > 0.5) points.push(last, 1, first, 1); // it goes round the pole
        return boxed(points);
    }
    function boxed(points) {
        const box = [Infinity, Infinity, -Infinity, -Infinity];
        points.forEach((value, i) => {
            box[i % 2] = Math.min(box[i % 2], value);
            box[2 + i % 2] = Math.max(box[2 + i % 2], value);
        });
        return {points, box};
    }
    const polygons = ({type, arcs: of}) => type === "Polygon" ? [of] : of || [];
    const countries = objects.countries.geometries;
    const owners = new Uint8Array(arcs.length);
    const partsOf = countries.map(country => [...new Set(
        polygons(country).flat(2).map(part => part < 0 ? ~part : part))]);
    for (const part of partsOf.flat()) owners[part] += 1;

    // Where shapes were cut at 180°, or end with the projection, is neither coast nor border.
    const edge = x => Math.abs(x - Math.round(x)) < 1e-9;
    const lines = arcs.flatMap((_, number) => {
        const points = joined([number]);
        const pieces = [];
        let from = 0;
        for (let i = 2; i <= points.length; i += 2) {
            const cut = (edge(points[i - 2]) && edge(points[i]))
                || (points[i - 1] > 1 && points[i + 1] > 1);
            if (i < points.length && !cut) continue;
            if (i - from > 2) pieces.push(points.slice(from, i));
            from = i;
        }
        return pieces.map(piece => ({...boxed(piece), border: owners[number] > 1}));
    });
    const rings = objects.land.geometries.flatMap(polygons).flat().map(ring);
    const names = countries.map((country, at) => ({
        name: country.properties.name,
        alone: partsOf[at].every(part => owners[part] === 1),
        ...outlineMiddle(polygons(country).map(parts => parts.map(ring))),
    }));
    return {rings, lines, names: names.sort((a, b) => b.area - a.area)};
};

// Where the name of a country of polygons goes: a wide place near the middle of the largest one.
window.outlineMiddle = polygons => {
    const onGlobe = y => Math.tanh(Math.PI * (1 - 2 * y)); // as areas on the Earth are
    let [area, largest, top, bottom] = [-1, null, 0, 0];
    for (const rings of polygons) {
        for (const {box: [west, north, east, south]} of rings) {
            const covered = (east - west) * (onGlobe(north) - onGlobe(south));
            if (covered > area) [area, largest, top, bottom] = [covered, rings, north, south];
        }
    }
    let best = {score: 0, room: 0, x: largest[0].points[0], y: top};
    for (let share = 0.2; share < 0.81; share += 0.05) {
        const y = top + share * (bottom - top);
        const crossed = [];
        for (const {points} of largest) {
            for (let i = 0, j = points.length - 2; i < points.length; j = i, i += 2) {
                const above = points[i + 1] - y;
                const part = above / (points[i + 1] - points[j + 1]);
                if (above > 0 !== points[j + 1] > y) {
                    crossed.push(points[i] + part * (points[j] - points[i]));
                }
            }
        }
        crossed.sort((a, b) => a - b);
        for (let i = 0; i + 1 < crossed.length; i += 2) {
            const room = crossed[i + 1] - crossed[i];
            const score = room * (1 - Math.abs(share - 0.5));
            if (score > best.score) best = {score, room, x: crossed[i] + room / 2, y};
        }
    }
    return {...best, area};
};
