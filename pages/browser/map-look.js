// What the map shows, kept in the address after the "#", so that a link reopens the same picture.
// Nothing read from there is trusted: what is not as it should be is left at its default.
"use strict";

window.mapLook = (map, said) => {
    const bounds = L.latLngBounds(said.bounds);
    const names = said.layers.map(layer => layer.name);
    const allowed = {
        layer: ["none", ...names], result: ["none", ...names],
        colour: ["probability", "verdict", "spread", "none"], base: ["none", "osm"],
    };
    const shares = ["lo", "ro", "to", "t"]; // opacities of layer, result and tiles; the threshold
    const look = {...said.look};
    const MOST = 200; // corners of an area
    let ring = []; // [latitude, longitude] of each corner of the area of interest
    const top = window.parent;
    const home = top.location.pathname;
    const shelf = `map-${said.run}`; // this tab's memory, for coming back from another page

    // The corners of "lat,lng;lat,lng;…"; none where it is no area, or one of another run.
    function corners(text) {
        const found = text.split(";").map(pair => pair.split(",").map(Number));
        const are = found.length >= 3 && found.length <= MOST && found.every(pair =>
            pair.length === 2 && Math.abs(pair[0]) <= 85 && Math.abs(pair[1]) <= 540);
        return are && bounds.intersects(found) ? found : [];
    }

    function read(text) {
        const given = new URLSearchParams(text);
        for (const [key, values] of Object.entries(allowed)) {
            if (values.includes(given.get(key))) look[key] = given.get(key);
        }
        for (const key of shares) {
            const value = given.get(key) ? Number(given.get(key)) : NaN;
            if (value >= 0 && value <= 1) look[key] = Math.round(value * 100) / 100;
        }
        ring = corners(given.get("area") || "");
        const [zoom, lat, lng] = (given.get("map") || "").split("/").map(Number);
        if (zoom >= 1 && zoom <= 20 && Math.abs(lat) <= 85 && Math.abs(lng) <= 540
            && bounds.pad(1).contains([lat, lng])) { // not another run's view
            map.setView([lat, lng], zoom, {animate: false});
        }
    }

    function written() {
        const at = map.getCenter();
        const place = [map.getZoom().toFixed(2), at.lat.toFixed(5), at.lng.toFixed(5)].join("/");
        const parts = [...Object.keys(allowed), ...shares].map(key => `${key}=${look[key]}`);
        if (ring.length && ring.length <= MOST) {
            parts.push(`area=${ring.map(pair => pair.map(v => v.toFixed(5)).join(",")).join(";")}`);
        }
        return `#map=${place}&${parts.join("&")}`;
    }

    // Streamlit drops what is after the "#" when it changes the query; a timer puts it back.
    function write() {
        const hash = written();
        if (top.location.pathname !== home || top.location.hash === hash) return;
        top.history.replaceState(top.history.state, "", top.location.search + hash);
        top.sessionStorage.setItem(shelf, hash);
    }

    const text = top.location.hash || top.sessionStorage.getItem(shelf) || "";
    read(text.slice(1));
    setInterval(write, 500);
    const area = () => ring;
    function keep(latlngs) {
        ring = latlngs.map(({lat, lng}) => [lat, lng]);
        write();
    }
    return {look, write, area, keep};
};
