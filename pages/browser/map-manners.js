// How a map behaves inside a page that scrolls, as embedded maps do elsewhere: the wheel zooms once
// the map was clicked, or with Ctrl; one finger scrolls the page, two move the map; and there is an
// end to zooming out. limit: bounds to stay around, a zoom to stop at, or nothing.
"use strict";

window.mapManners = (map, limit = null) => {
    const box = map.getContainer();
    const FARTHER = 3; // zooms out from where the bounds fill the map
    // Leaflet and its tools give the map the focus as the button goes down: were the page to scroll
    // then, the button would come up over another place than was meant.
    const focus = box.focus.bind(box);
    box.focus = () => focus({preventScroll: true});

    let [awake, drawing] = [false, false];
    const isFree = () => drawing || Boolean(document.fullscreenElement);
    const isGround = ({target}) => !target.closest(".leaflet-control, .leaflet-marker-icon");
    const touch = () => { box.style.touchAction = isFree() ? "none" : "pan-x pan-y"; };
    map.on("draw:drawstart draw:editstart draw:deletestart", () => { drawing = true; touch(); });
    map.on("draw:drawstop draw:editstop draw:deletestop", () => { drawing = false; touch(); });
    document.addEventListener("fullscreenchange", touch);
    map.on("unload", () => document.removeEventListener("fullscreenchange", touch));
    touch();

    const hint = box.appendChild(document.createElement("div"));
    hint.className = "hint";
    Object.assign(hint.style, {position: "absolute", zIndex: 1100, left: "50%", bottom: "45%",
        width: "max-content", maxWidth: "80%", boxSizing: "border-box", padding: ".35rem .8rem",
        transform: "translateX(-50%)", borderRadius: ".3rem", background: "rgba(12, 20, 28, .85)",
        color: "#fff", fontSize: ".9rem", textAlign: "center", pointerEvents: "none"});
    hint.hidden = true;
    let timer = null;
    function say(words) {
        hint.textContent = words;
        hint.hidden = false;
        clearTimeout(timer);
        timer = setTimeout(() => { hint.hidden = true; }, 1500);
    }

    const key = navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl";
    const quiet = {capture: true, passive: true}; // before Leaflet; the page scrolls as it would
    box.addEventListener("wheel", event => {
        if (awake || event.ctrlKey || event.metaKey || isFree()) return;
        event.stopPropagation();
        if (isGround(event)) say(`Click the map, or hold ${key}, to zoom with the wheel`);
    }, quiet);
    for (const kind of ["mousedown", "focusin"]) {
        box.addEventListener(kind, () => { awake = true; hint.hidden = true; }, quiet);
    }
    box.addEventListener("mouseleave", () => { awake = false; });

    // Leaflet hears of touches by pointers where a browser has no events of their own for them.
    const finger = event => event.touches ? event.touches.length === 1
        : event.pointerType === "touch" && event.isPrimary;
    const [down, move] = L.Browser.touchNative ? ["touchstart", "touchmove"]
        : ["pointerdown", "pointermove"];
    const isPages = event => finger(event) && isGround(event) && !isFree();
    box.addEventListener(down, event => { if (isPages(event)) event.stopPropagation(); }, quiet);
    box.addEventListener(move, event => {
        if (isPages(event)) say("Two fingers move the map");
    }, quiet);

    function end() {
        if (!map.getSize().x) return;
        map.options.minZoom = 0; // or it would bound what fits
        map.setMinZoom(typeof limit === "number" ? limit : map.getBoundsZoom(limit) - FARTHER);
    }
    if (limit === null) return;
    end();
    map.on("resize", end);
};
