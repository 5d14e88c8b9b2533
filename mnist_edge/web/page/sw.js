// Keeps the site, so that it opens without a network after the first visit.
// FILES and VERSION are filled in by `mnist-edge export --web`.

const VERSION = "";
const FILES = [];

// Of this site alone: another one may lie beside it on the same origin.
const PREFIX = `mnist-edge ${self.registration.scope} `;

self.addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(removeOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});

async function keep() {
  const cache = await caches.open(PREFIX + VERSION);
  await Promise.all(FILES.map(async ({ url, integrity }) => {
    // What was kept by the browser may be of an earlier version.
    const response = await fetch(url, { integrity, cache: "no-cache" });
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    await cache.put(url, response);
  }));
}

async function removeOthers() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== PREFIX + VERSION) await caches.delete(name);
  }
}

async function answer(request) {
  const cache = await caches.open(PREFIX + VERSION);
  return (await cache.match(request, { ignoreSearch: true, ignoreVary: true })) ?? fetch(request);
}
