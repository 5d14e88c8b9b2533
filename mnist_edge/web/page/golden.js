// The golden answers of a file, given here again: see mnist_edge/model_file/golden.py, whose inputs these are.

const COUNT = 8, SEED = 2463534242;
const GENERATOR = "xorshift32-strokes-1";

/** {passed, text} of a file's golden answers; `run` takes the bytes of an image, gives the logits. */
export async function check(golden, shape, run) {
  const images = Array.from({ length: COUNT }, (_, at) => drawn(at, shape));
  if (golden.generator !== GENERATOR || !(await areThose(images, golden.sha256))) {
    return { passed: false, text: "its golden answers are to other inputs than this page draws" };
  }
  const start = performance.now();
  let most = 0, changed = 0;
  for (const [at, image] of images.entries()) {
    const logits = await run(image);
    const off = Math.max(...golden.logits[at].map((wanted, k) => Math.abs(logits[k] - wanted)));
    if (!(off <= golden.tolerance)) changed++; // so that a NaN counts
    most = Math.max(most, off);
  }
  const ms = (performance.now() - start).toFixed(0);
  const told = `max |Δlogit| ${short(most)}, tolerance ${short(golden.tolerance)}`;
  return {
    passed: changed === 0,
    text: changed
      ? `${changed} of ${COUNT} golden answers changed (${told})`
      : `${COUNT} of ${COUNT} as where it was made (${told}, ${ms} ms)`,
  };
}

function short(value) {
  return value && value < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(2)));
}

/** Blank, full ink, noise, and five of strokes, each channel with its own. */
export function drawn(at, { height, width, channels }) {
  const image = new Uint8Array(height * width * channels);
  const next = xorshift(SEED + at);
  if (at === 1) image.fill(255);
  else if (at === 2) image.forEach((_, byte) => { image[byte] = next() >>> 24; });
  else if (at > 2) {
    for (let channel = 0; channel < channels; channel++) {
      const put = (y, x, value) => {
        const byte = (y * width + x) * channels + channel;
        image[byte] = Math.max(image[byte], value);
      };
      const points = Array.from({ length: 5 }, () => [4 + (next() % (height - 8)), 4 + (next() % (width - 8))]);
      for (let n = 0; n < 4; n++) stroke(put, points[n], points[n + 1]);
    }
  }
  return image;
}

function stroke(put, from, to) {
  for (let step = 0; step <= 16; step++) {
    const [y, x] = [0, 1].map((k) => Math.floor((from[k] * (16 - step) + to[k] * step) / 16));
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) put(y + dy, x + dx, dy && dx ? 144 : 255);
    }
  }
}

function xorshift(state) {
  state >>>= 0;
  return () => {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    return state;
  };
}

async function areThose(images, wanted) {
  if (!globalThis.crypto?.subtle) return true; // not over plain HTTP from another machine
  const all = Uint8Array.from(images.flatMap((image) => [...image]));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") === wanted;
}
