// The panel of the map: what is shown, how, and from which probability on; and the legend.
// It holds no state of its own: it shows `look` and hands every change to `changed`.
"use strict";

window.mapPanel = (map, said, look, changed) => {
    const fields = {};

    function make(tag, options = {}, ...inside) {
        const element = Object.assign(document.createElement(tag), options);
        element.append(...inside);
        return element;
    }

    // A list with groups: [[group, [[value, words], …]], …]; a group without a name stands alone.
    function choice(key, label, groups) {
        const field = make("select", {id: `f-${key}`});
        for (const [group, entries] of groups) {
            const options = entries.map(([value, words]) => make("option", {value}, words));
            if (group) field.append(make("optgroup", {label: group}, ...options));
            else field.append(...options);
        }
        field.addEventListener("change", () => changed({[key]: field.value}));
        fields[key] = field;
        return make("div", {className: "row"}, make("label", {htmlFor: field.id}, label), field);
    }

    function slider(key, label, words) {
        const field = make("input",
            {id: `f-${key}`, type: "range", min: 0, max: 1, step: key === "t" ? 0.01 : 0.05});
        const value = make("output", {htmlFor: field.id});
        const say = () => { value.textContent = words(Number(field.value)); };
        field.addEventListener("input", () => { say(); changed({[key]: Number(field.value)}); });
        fields[key] = field;
        field.say = say;
        const name = make("label", {htmlFor: field.id}, label);
        return make("div", {className: "row slide"}, name, field, value);
    }

    const percent = share => `${Math.round(share * 100)} %`;
    const grouped = kinds => kinds.map(([group, ...names]) => [group, said.layers
        .filter(layer => names.includes(layer.kind))
        .map(layer => [layer.name, layer.title])]).filter(([, entries]) => entries.length);
    const pictures = grouped([["Optical", "optical", "index"], ["Radar", "radar"],
        ["Change", "change"]]).map(([group, e]) => [group, e.filter(([name]) => name !== "cloud")]);
    const cloud = said.layers.filter(layer => layer.name === "cloud")
        .map(layer => [layer.name, layer.title]);
    const laid = [...grouped([["Results", "result"], ["Change", "change"]]),
        ...(cloud.length ? [["Optical", cloud]] : [])];

    const count = make("p", {className: "count"});
    count.setAttribute("aria-live", "polite");
    const body = make("div", {className: "body", id: "panel-body"},
        make("fieldset", {}, make("legend", {}, "Picture"),
            choice("layer", "Layer", [["", [["none", "None"]]], ...pictures]),
            slider("lo", "Opacity", percent)),
        make("fieldset", {}, make("legend", {}, "On top"),
            choice("result", "Layer", [["", [["none", "None"]]], ...laid]),
            slider("ro", "Opacity", percent)),
        make("fieldset", {}, make("legend", {}, "Tiles"),
            choice("colour", "Colour by", [["", [["probability", "Probability"],
                ["verdict", "Verdict"], ["spread", "Spread"], ["none", "Outlines only"]]]]),
            slider("to", "Opacity", percent),
            slider("t", "Fade under", value => value.toFixed(2)), count),
        make("fieldset", {}, make("legend", {}, "Street map"),
            choice("base", "From", [["", [["none", "None"],
                ["osm", "OpenStreetMap (online)"]]]])));
    const handle = make("button", {type: "button", className: "handle"}, "Layers");
    handle.setAttribute("aria-controls", "panel-body");
    const panel = make("section", {className: "panel"}, handle, body);
    panel.setAttribute("aria-label", "Layers of the map");
    function open(wide) {
        body.hidden = !wide;
        handle.setAttribute("aria-expanded", String(wide));
    }
    handle.addEventListener("click", () => open(body.hidden));
    open(map.getSize().x >= 720);

    const key = make("section", {className: "key"});
    key.setAttribute("aria-label", "Legend");
    // In one column, so that neither covers the other: where both are long, each scrolls.
    const column = L.control({position: "topright"});
    column.onAdd = () => make("div", {className: "column"}, panel, key);
    column.addTo(map);
    for (const element of [panel, key]) {
        L.DomEvent.disableClickPropagation(element).disableScrollPropagation(element);
        element.addEventListener("keydown", event => event.stopPropagation());
    }

    const bar = (title, colours, ticks) => [make("div", {className: "title"}, title),
        make("div", {className: "bar",
            style: `background:linear-gradient(to right,${colours.join(",")})`}),
        make("div", {className: "ticks"}, ...ticks.map(tick => make("span", {}, tick)))];
    const swatch = (words, colour) => make("div", {className: "swatch"},
        make("i", {style: `background:${colour}`}), words);
    // As map-tiles.js draws it: white with a dark casing, around whatever the tile shows.
    const line = (words, dashes) => {
        const box = make("i", {className: "line"});
        const rect = looks => `<rect x="3" y="3" width="20" height="10" fill="none" ${looks}/>`;
        box.innerHTML = `<svg viewBox="0 0 26 16" aria-hidden="true">${
            rect('stroke="#10202c" stroke-opacity=".65" stroke-width="4"')}${
            rect(`stroke="#fff" stroke-width="2.2" stroke-dasharray="${dashes}"`)}</svg>`;
        return make("div", {className: "swatch"}, box, words);
    };

    let shown = []; // labels that reviewers gave
    function label(labels) {
        shown = Object.keys(said.labels).filter(name => Object.values(labels).includes(name));
        legend();
    }

    function legend() {
        const parts = [];
        const scale = said.scales[look.colour];
        if (look.colour === "verdict" && look.to > 0) {
            parts.push(make("div", {className: "title"}, "Verdict"),
                ...said.verdicts.map(verdict => swatch(verdict.words, verdict.colour)));
        } else if (scale && look.to > 0) {
            parts.push(...bar(scale.title, scale.colours, scale.ticks));
        }
        for (const name of new Set([look.result, look.layer])) {
            const layer = said.layers.find(found => found.name === name);
            if (!layer || (layer.scale === look.colour && look.to > 0)) continue;
            if (layer.colours.length) {
                parts.push(...bar(layer.title + (layer.unit && ` (${layer.unit})`),
                    layer.colours, layer.ticks));
            } else if (layer.classes.length && layer.name !== look.colour) {
                parts.push(make("div", {className: "title"}, layer.title),
                    ...layer.classes.map(([words, colour]) => swatch(words, colour)));
            } else if (layer.note) {
                parts.push(make("div", {className: "note"}, `${layer.title}: ${layer.note}`));
            }
        }
        if (look.to > 0) {
            const kinds = [["Landslide", "none"], ["Uncertain", "5 4"]];
            if (said.masked) kinds.push(["Landslide, no alarm: flat ground", "1 5"]);
            parts.push(make("div", {className: "lines"}, ...kinds.map(([w, k]) => line(w, k))));
            if (said.share < 1) parts.push(make("div", {className: "note"},
                "Tiles overlap: of each the middle is drawn."));
        }
        if (shown.length) {
            parts.push(make("div", {className: "lines dots"}, ...shown.map(name =>
                swatch(`Reviewed: ${said.labels[name].words.toLowerCase()}`,
                    said.labels[name].colour))));
        }
        key.replaceChildren(...parts);
    }

    // Tiles of the whole run at or over the threshold; tiles without a probability are under it.
    function counted() {
        const first = Math.round(look.t * 100);
        const over = said.verdicts.map(verdict =>
            [verdict.words, verdict.counts.slice(first).reduce((sum, n) => sum + n, 0)]);
        const all = over.reduce((sum, [, n]) => sum + n, 0);
        const parts = over.filter(([, n]) => n).reverse()
            .map(([words, n]) => `${n.toLocaleString("en")} ${words.toLowerCase()}`);
        count.replaceChildren(make("strong", {}, all.toLocaleString("en")),
            ` of ${said.total.toLocaleString("en")} tiles at or over ${look.t.toFixed(2)}`,
            ...(parts.length ? [make("br"), parts.join(" · ")] : []));
    }

    function show() {
        for (const [name, field] of Object.entries(fields)) {
            field.value = look[name];
            if (field.say) field.say();
        }
        legend();
        counted();
    }

    return {show, legend, counted, label};
};
