// The app's own address, with a stroke at the end, whatever base path or proxy is before it:
// Streamlit's scripts lie in static/js below it, and its pages beside that.
function appRoot() {
  const script = document.querySelector("script[src*='/static/js/']");
  return script ? `${script.src.split("/static/js/")[0]}/` : new URL(".", window.location.href).href;
}
