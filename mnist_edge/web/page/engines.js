// What answers: ONNX Runtime in the Python process that serves the page, or here, in WebAssembly.
//
// Both take images as their bytes, and give {image: Uint8Array, label, logits, probabilities,
// latencyUs}, and of pictures how many digits they show.

/** What site.json says answers. */
export async function open(site) {
  const engine = site.engine.kind === "server" ? new Server(site.engine) : new Browser(site.engine);
  await engine.ready?.();
  return engine;
}

class Server {
  constructor({ most_bytes: mostBytes }) {
    this.mostBytes = mostBytes;
  }

  told = "Answered by ONNX Runtime in the mnist-edge process that serves this page.";

  answer(model, image) {
    return this.#post(model, image, "application/octet-stream");
  }

  /** Prepared there, as `mnist-edge predict` does; here where it is too large to be sent. */
  async picture(model, file) {
    if (file.size > this.mostBytes) return answerPicture(this, model, file);
    return this.#post(model, file, file.type.startsWith("image/") ? file.type : "image/unknown");
  }

  async selfTest(model) {
    return model.self_test;
  }

  async #post(model, body, type) {
    const url = `answer?model=${encodeURIComponent(model.name)}`;
    let response;
    try {
      response = await fetch(url, { method: "POST", body, headers: { "Content-Type": type } });
    } catch {
      throw new Error("mnist-edge does not answer any more: start it again with 'mnist-edge draw'");
    }
    const found = await response.json();
    if (!response.ok) throw new Error(found.error);
    const { latency_us: latencyUs, image, ...rest } = found;
    return { ...rest, latencyUs, image: Uint8Array.from(atob(image), (c) => c.charCodeAt(0)) };
  }
}

class Browser {
  constructor(engine) {
    this.engine = engine;
    this.sessions = new Map();
    this.turn = Promise.resolve();
    this.told = `Answered by ONNX Runtime ${engine.version} in WebAssembly, in this browser: `
      + "nothing that you draw or show leaves this device.";
  }

  async ready() {
    const { module, wasm } = this.engine;
    const [source, binary] = await Promise.all([this.#module(module), bytesOf(wasm)]);
    this.ort = await import(source);
    this.ort.env.wasm.wasmBinary = binary;
    this.ort.env.wasm.numThreads = 1; // several need headers that few static hosts send
  }

  async #module(module) {
    if (!module.url.startsWith("https:")) return new URL(module.url, document.baseURI).href;
    const type = "text/javascript"; // import() itself knows no integrity
    return URL.createObjectURL(new Blob([await bytesOf(module)], { type }));
  }

  async answer(model, image) {
    const session = await this.#session(model);
    const { height, width, channels } = model.shape;
    const dims = channels === 1 ? [1, height, width] : [1, height, width, channels];
    const feeds = { image: new this.ort.Tensor("uint8", image, dims) };
    const start = performance.now();
    const logits = Array.from((await this.#alone(() => session.run(feeds))).logits.data);
    const latencyUs = (performance.now() - start) * 1000;
    const probabilities = softmax(logits);
    const label = model.classes[logits.indexOf(Math.max(...logits))];
    return { image, label, logits, probabilities, latencyUs };
  }

  picture(model, file) {
    return answerPicture(this, model, file);
  }

  async selfTest(model) {
    if (!model.golden) return null;
    const { check } = await import("./golden.js");
    return check(model.golden, model.shape, async (image) => (await this.answer(model, image)).logits);
  }

  #session(model) {
    if (!this.sessions.has(model.name)) {
      const made = bytesOf(model).then((bytes) =>
        this.#alone(() => this.ort.InferenceSession.create(new Uint8Array(bytes))));
      this.sessions.set(model.name, made);
      made.catch(() => this.sessions.delete(model.name)); // to be tried again
    }
    return this.sessions.get(model.name);
  }

  /** WebAssembly without threads does one thing at a time. */
  #alone(call) {
    this.turn = this.turn.catch(() => {}).then(call);
    return this.turn;
  }
}

/** A picture that is prepared in the page. */
async function answerPicture(engine, model, file) {
  const { decoded, looked } = await import("./picture.js"); // a page that is drawn on needs none of it
  const picture = await decoded(file);
  const { image, digits } = looked(picture, model);
  picture.close(); // a photograph takes tens of megabytes
  return { ...await engine.answer(model, image), digits };
}

async function bytesOf({ url, integrity }) {
  let response;
  try {
    response = await fetch(url, { integrity });
  } catch { // browsers do not tell which of the two it is
    throw new Error(`${url} cannot be loaded, or is not what was published`);
  }
  if (!response.ok) throw new Error(`${url} cannot be loaded: ${response.status}`);
  return response.arrayBuffer();
}

export function softmax(logits) {
  const highest = Math.max(...logits);
  const parts = logits.map((logit) => Math.exp(logit - highest));
  const total = parts.reduce((sum, part) => sum + part);
  return parts.map((part) => part / total);
}
