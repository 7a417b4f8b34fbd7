// The browser's back button goes from page to page: what a script writes into the address of the
// page it is on (run, tile) replaces that entry of the history, or "back" would lead into it again.
(() => {
    if (window.landslideHistory) return;
    window.landslideHistory = true;
    const push = history.pushState.bind(history);
    history.pushState = (state, title, url) => {
        const same = new URL(url ?? "", location.href).pathname === location.pathname;
        (same ? history.replaceState.bind(history) : push)(state, title, url);
    };
})();
