// Scripts and styles for the page itself, by addresses from the app's root or as data. Each is
// brought once, however many parts ask for it: a second Leaflet would take the place of the first,
// without what was added to that.

const AGAIN = [500, 2000]; // ms until each new try: a weak line drops one

function loaded(url) {
  const address = new URL(url, appRoot()).href, all = (window.landslideLoaded ??= {});
  all[address] ??= tries(address).catch((error) => {
    delete all[address]; // whoever asks later begins anew
    throw error;
  });
  return all[address];
}

async function tries(address) {
  for (const wait of [...AGAIN, null]) {
    try {
      return await once(address);
    } catch (error) {
      if (wait === null) throw error;
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

function once(address) {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = done;
    script.onerror = () => {
      script.remove();
      failed(new Error("The map's script did not load. Load the page again."));
    };
    document.head.append(script);
  });
}

// A style sheet in the page's head or in a shadow; there once it was tried.
function styled(url, parent = document.head) {
  const href = new URL(url, appRoot()).href;
  const there = [...parent.querySelectorAll("link")].find((link) => link.href === href);
  if (there) return there.landslideLoaded;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  link.landslideLoaded = new Promise((done) => { link.onload = link.onerror = done; });
  parent.append(link);
  return link.landslideLoaded;
}
