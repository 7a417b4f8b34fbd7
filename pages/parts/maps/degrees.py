"""Meridians and parallels on a map that has no street map under it."""

from branca.element import MacroElement
from folium.template import Template


class Degrees(MacroElement):
    """Meridians and parallels with their degrees, and the position of the pointer."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        (function (map) {
            const steps = [45, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002];
            map.createPane("degrees").style.zIndex = 350;
            const lines = L.layerGroup().addTo(map);
            const side = (value, signs) => value % 180 ? " " + signs[value < 0 ? 1 : 0] : "";
            const words = (value, signs, digits) =>
                Math.abs(value).toFixed(digits) + "°" + side(value, signs);
            const east = (x, digits) =>
                words(((x + 180) % 360 + 360) % 360 - 180, "EW", digits);
            function label(at, text, anchor, aligned) {
                const icon = L.divIcon({className: "degrees " + aligned, html: text,
                    iconSize: [76, 16], iconAnchor: anchor});
                L.marker(at, {icon, interactive: false, keyboard: false}).addTo(lines);
            }
            function line(from, to) {
                L.polyline([from, to], {pane: "degrees", interactive: false, weight: 1,
                    color: "#808a92", opacity: 0.45}).addTo(lines);
            }
            function draw() {
                lines.clearLayers();
                const box = map.getBounds();
                const [left, right] = [box.getWest(), box.getEast()];
                const [low, high] = [Math.max(box.getSouth(), -85), Math.min(box.getNorth(), 85)];
                const step = steps.find(s => (right - left) / s >= 4) || 0.002;
                const digits = Math.max(0, Math.ceil(-Math.log10(step)));
                for (let i = Math.ceil(left / step); i * step < right; i++) {
                    line([low, i * step], [high, i * step]);
                    label([high, i * step], east(i * step, digits), [38, -4], "middle");
                }
                for (let i = Math.ceil(low / step); i * step < high; i++) {
                    line([i * step, left], [i * step, right]);
                    label([i * step, right], words(i * step, "NS", digits), [82, 8], "end");
                }
            }
            map.on("moveend resize", draw);
            draw();
            const pointer = L.control({position: "bottomleft"});
            pointer.onAdd = () => L.DomUtil.create("div", "pointer");
            pointer.addTo(map);
            map.on("mousemove", e => {
                pointer.getContainer().textContent =
                    words(e.latlng.lat, "NS", 4) + ", " + east(e.latlng.lng, 4);
            });
        })({{ this._parent.get_name() }});
        {% endmacro %}
        """
    )
