// Pictures and photographs, read in the browser. In a network's shape they are as in Python (fit.js);
// of those of digits, what is done here is a small part of what `mnist-edge predict` does.
//
// The light is evened out by what the paper around each place looks like; ink is what differs from
// it; what runs into the picture's edge is no digit.

import { prepareDrawing, transpose } from "./drawing.js";
import { fitImage, flatten, reduce, reductionOf } from "./fit.js";

const SIDE = 280; // the longer side at which pictures of digits are looked at
const REACH = 0.2; // of it: as wide a stroke may be
const LEAST = 20; // grey values: less is the paper's own
const LEAST_SIDE = 8; // pixels: as in Python
const STRIPE = 1 << 20; // pixels that are looked at together

/** A file's picture, upright, with the values that stand in it: colour profiles are not applied. */
export function decoded(file) {
  return createImageBitmap(file, { colorSpaceConversion: "none" });
}

/** A picture (ImageBitmap) in the form that a model takes, as bytes, and how many digits it shows. */
export function looked(picture, { shape, fit }) {
  if (fit !== "digit") return { image: fitImage(pixelsOf(picture), shape, fit), digits: 1 };
  const ink = inkOf(greyOf(picture));
  return { image: prepareDrawing(ink), digits: digitsOf(ink) };
}

/** A picture's pixels as RGB: a large one reduced, a transparent one on a plain ground. */
function pixelsOf(picture) {
  const { width, height } = picture;
  if (Math.min(width, height) < LEAST_SIDE) throw new Error(`${width}×${height} pixels are too few`);
  const factor = reductionOf(Math.max(width, height));
  const whole = { width: Math.ceil(width / factor), height: Math.ceil(height / factor), channels: 4 };
  whole.data = new Uint8Array(whole.width * whole.height * 4);
  const lines = factor * Math.max(1, Math.floor(STRIPE / (width * factor))); // a phone has no large canvas
  const canvas = new OffscreenCanvas(width, Math.min(height, lines)).getContext("2d", { willReadFrequently: true });
  for (let top = 0; top < height; top += lines) {
    const high = Math.min(lines, height - top);
    canvas.clearRect(0, 0, width, high);
    canvas.drawImage(picture, 0, top, width, high, 0, 0, width, high);
    const stripe = canvas.getImageData(0, 0, width, high);
    const part = factor === 1 ? stripe : reduce(stripe, factor);
    whole.data.set(part.data, (top / factor) * whole.width * 4);
  }
  return flatten(whole);
}

function greyOf(picture) {
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  canvas.imageSmoothingQuality = "high";
  canvas.drawImage(picture, 0, 0, width, height);
  const { data } = canvas.getImageData(0, 0, width, height);
  const ground = groundOf(data);
  const grey = Uint8Array.from({ length: width * height }, (_, at) => {
    const [red, green, blue, alpha] = data.subarray(4 * at, 4 * at + 4);
    const luminance = 0.299 * red + 0.587 * green + 0.114 * blue; // ITU-R BT.601
    return Math.round((luminance * alpha + ground * (255 - alpha)) / 255);
  });
  return { width, height, data: grey };
}

/** What lies under a transparent picture: white under dark ink, black under light. */
function groundOf(data) {
  let weight = 0, total = 0;
  for (let at = 0; at < data.length; at += 4) {
    weight += data[at + 3];
    total += data[at + 3] * (data[at] + data[at + 1] + data[at + 2]) / 3;
  }
  return total > 127.5 * weight ? 0 : 255;
}

function inkOf(grey) {
  const light = isLight(grey);
  const dark = { ...grey, data: light ? grey.data.map((value) => 255 - value) : grey.data };
  const paper = closed(dark, Math.round(Math.max(grey.width, grey.height) * REACH));
  const ink = dark.data.map((value, at) => Math.max(0, paper.data[at] - value));
  const threshold = Math.max(LEAST, otsu(ink));
  const loose = withoutEdges({ ...grey, data: ink }, threshold);
  const [low, high] = [0.5 * threshold, 1.3 * threshold];
  const full = (value) => Math.min(255, Math.max(0, Math.round(255 * (value - low) / (high - low))));
  return { ...grey, data: ink.map((value, at) => (loose[at] ? full(value) : 0)) };
}

/** Whether the ink is lighter than the paper: the paper is what lies along the border. */
function isLight({ width, height, data }) {
  const threshold = otsu(data);
  let bright = 0, count = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (y > 0 && x > 0 && y < height - 1 && x < width - 1) continue;
      count++;
      if (data[y * width + x] > threshold) bright++;
    }
  }
  return bright < count / 2;
}

/** Otsu's threshold (1979): what splits values into two classes best. */
function otsu(data) {
  const counts = new Float64Array(256);
  for (const value of data) counts[value]++;
  let below = 0, sum = 0, best = -1, found = 0;
  const total = data.reduce((all, value) => all + value, 0);
  for (let value = 0; value < 255; value++) {
    below += counts[value];
    sum += value * counts[value];
    const above = data.length - below;
    if (!below || !above) continue;
    const between = below * above * ((total - sum) / above - sum / below) ** 2;
    if (between > best) [best, found] = [between, value];
  }
  return found;
}

/** The paper under dark strokes: the greatest around each place, then the least of those. */
function closed(grey, size) {
  const rows = (field, better) => transpose(extreme(transpose(extreme(field, size, better)), size, better));
  return rows(rows(grey, Math.max), Math.min);
}

function extreme({ width, height, data }, size, better) {
  const result = new Uint8Array(data.length);
  const reach = Math.floor(size / 2);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let found = data[y * width + x];
      const end = Math.min(width - 1, x + reach);
      for (let u = Math.max(0, x - reach); u <= end; u++) found = better(found, data[y * width + u]);
      result[y * width + x] = found;
    }
  }
  return { width, height, data: result };
}

/** Which pixels are not of a piece that runs into the edge, unless all do. */
function withoutEdges({ width, height, data }, threshold) {
  const edge = new Uint8Array(data.length);
  const stack = [];
  const visit = (y, x) => {
    const at = y * width + x;
    if (y < 0 || x < 0 || y >= height || x >= width || edge[at] || data[at] <= threshold / 2) return;
    edge[at] = 1;
    stack.push(at);
  };
  for (let x = 0; x < width; x++) [0, height - 1].forEach((y) => visit(y, x));
  for (let y = 0; y < height; y++) [0, width - 1].forEach((x) => visit(y, x));
  while (stack.length) {
    const at = stack.pop();
    const y = Math.floor(at / width), x = at - y * width;
    for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) visit(y + dy, x + dx);
  }
  const rest = data.some((value, at) => value > threshold && !edge[at]);
  return rest ? edge.map((value) => 1 - value) : edge.fill(1);
}

/** How many digits of much the same height there are in ink: pieces that lie near each other are
 * one, unless they stand side by side as high as it, or are piled too high for it. */
export function digitsOf(ink) {
  const pieces = piecesOf(ink);
  const greatest = Math.max(0, ...pieces.map(({ area }) => area));
  const strokes = pieces.filter(({ area }) => area > 0.15 * greatest);
  const usual = strokes.map(high).sort((one, other) => one - other)[strokes.length >> 1];
  const large = strokes.filter((piece) => high(piece) > 0.55 * usual && wide(piece) < 1.7 * usual);
  const groups = [];
  for (const piece of large) {
    const own = groups.filter((group) => group.some((other) => areOne(piece, other)));
    for (const group of own) groups.splice(groups.indexOf(group), 1);
    groups.push([piece, ...own.flat()]);
  }
  return groups.length;
}

function high({ top, bottom }) {
  return bottom - top;
}

function wide({ left, right }) {
  return right - left;
}

function areOne(one, other) {
  const across = Math.max(one.left, other.left) - Math.min(one.right, other.right);
  const along = Math.max(one.top, other.top) - Math.min(one.bottom, other.bottom);
  const side = Math.max(high(one), wide(one), high(other), wide(other));
  if (Math.max(across, along) > 0.25 * side) return false;
  const joint = Math.max(one.bottom, other.bottom) - Math.min(one.top, other.top);
  const width = Math.max(one.right, other.right) - Math.min(one.left, other.left);
  const beside = -across <= 0.2 * Math.min(wide(one), wide(other));
  if (beside && Math.min(high(one), high(other)) > 0.8 * joint) return false;
  const bars = [one, other].every((piece) => high(piece) > 2.4 * wide(piece));
  return joint <= 2.4 * width || bars;
}

/** The pieces of ink that hang together: their boxes, half-open, and areas in pixels. */
function piecesOf({ width, height, data }) {
  const seen = new Uint8Array(data.length);
  const pieces = [];
  for (let start = 0; start < data.length; start++) {
    if (seen[start] || data[start] < 128) continue;
    const piece = { left: width, top: height, right: 0, bottom: 0, area: 0 };
    const stack = [start];
    seen[start] = 1;
    while (stack.length) {
      const at = stack.pop();
      const y = Math.floor(at / width), x = at - y * width;
      piece.left = Math.min(piece.left, x);
      piece.top = Math.min(piece.top, y);
      piece.right = Math.max(piece.right, x + 1);
      piece.bottom = Math.max(piece.bottom, y + 1);
      piece.area++;
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const next = v * width + u;
          if (seen[next] || data[next] < 128) continue;
          seen[next] = 1;
          stack.push(next);
        }
      }
    }
    pieces.push(piece);
  }
  return pieces;
}
