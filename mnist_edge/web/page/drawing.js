// A drawing in MNIST's form: byte for byte what mnist_edge/preprocess/canvas.py makes of it.
//
// A field is {width, height, data: Uint8Array}; 0 is canvas, 255 full ink. The names are those of
// canvas.py and mnist_format.py.

import { resample, roundEven } from "./resample.js";

const SIDE = 28;
const BOX_SIDE = 20;
const CENTRE_OF_MASS = 14.5; // where MNIST has the centre of mass
const OVERSAMPLING = 5; // fine pixels, in which strokes are measured, to a pixel of the field
const INK_THRESHOLD = 0.15; // of the strongest ink: what is fainter is canvas
const THIN_TARGET = 2.2, THINNEST = 1.9, FAT_TARGET = 3.5, FATTEST = 3.9; // stroke widths of MNIST
const SPECK_RATIO = 50, NEAR_RATIO = 12;
const MAX_PIECES = 4; // more are grains of chalk

/** A drawing -> Uint8Array(784). */
export function prepareDrawing(ink) {
  return toMnistFormat(removeSpecks(ink));
}

/** Light ink on black -> Uint8Array(784), strokes and all. */
export function toMnistFormat(ink) {
  const box = inkBox(ink);
  if (!box) return new Uint8Array(SIDE * SIDE);
  const fine = normaliseStrokeWidth(resizeToFit(crop(ink, box), BOX_SIDE * OVERSAMPLING, "bicubic"));
  const image = centre(fine);
  const scale = Math.fround(255 / Math.max(1, highest(image)));
  return image.map((value) => roundEven(Math.fround(value * scale)));
}

function removeSpecks(ink) {
  const least = INK_THRESHOLD * Math.max(1, highest(ink.data));
  const { labels, parts } = components(ink, (value) => value > least);
  if (parts.length < 2) return ink;
  const main = parts.reduce((best, part) => (part.area > best.area ? part : best));
  const side = Math.max(main.bottom - main.top, main.right - main.left);
  const speck = parts.map((part) => {
    const across = Math.max(part.left - main.right, main.left - part.right);
    const along = Math.max(part.top - main.bottom, main.top - part.bottom);
    return part.area * SPECK_RATIO < main.area && Math.max(across, along) * NEAR_RATIO > side;
  });
  if (!speck.includes(true)) return ink;
  const data = ink.data.map((value, at) => (labels[at] >= 0 && speck[labels[at]] ? 0 : value));
  return { ...ink, data };
}

/** The 8-connected pieces of what is inked, in reading order: labels (-1: none), areas, boxes. */
function components({ width, height, data }, inked) {
  const labels = new Int32Array(width * height).fill(-1);
  const parts = [];
  const stack = [];
  for (let start = 0; start < labels.length; start++) {
    if (labels[start] >= 0 || !inked(data[start])) continue;
    const part = { area: 0, top: height, left: width, bottom: 0, right: 0 };
    labels[start] = parts.length;
    stack.push(start);
    while (stack.length) {
      const at = stack.pop();
      const y = Math.floor(at / width), x = at - y * width;
      part.area++;
      part.top = Math.min(part.top, y);
      part.bottom = Math.max(part.bottom, y + 1);
      part.left = Math.min(part.left, x);
      part.right = Math.max(part.right, x + 1);
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const near = v * width + u;
          if (labels[near] < 0 && inked(data[near])) {
            labels[near] = parts.length;
            stack.push(near);
          }
        }
      }
    }
    parts.push(part);
  }
  return { labels, parts };
}

function countPieces(field) {
  return components(field, (value) => value > 127).parts.length;
}

function normaliseStrokeWidth(fine) {
  let width = strokeWidth(fine) / OVERSAMPLING;
  if (countPieces(fine) > MAX_PIECES) { // grains of chalk or pencil: a fuller stroke joins them
    fine = dilate(fine, 2);
    width = strokeWidth(fine) / OVERSAMPLING;
  }
  if (width < THINNEST) return widenStrokes(fine, width);
  if (width > FATTEST) return erode(fine, ((width - FAT_TARGET) / 2) * OVERSAMPLING);
  return fine;
}

/** Twice area over outline, in pixels, in float32 as NumPy computes it. */
function strokeWidth({ width, height, data }) {
  const inked = (y, x) => y >= 0 && y < height && x >= 0 && x < width && data[y * width + x] > 127;
  let area = 0, edges = 0;
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x <= width; x++) {
      const here = inked(y, x);
      if (here) area++;
      if (here !== inked(y - 1, x)) edges++;
      if (here !== inked(y, x - 1)) edges++;
    }
  }
  const outline = Math.max(1, Math.fround(edges * Math.fround(Math.PI / 4)));
  return Math.fround((2 * area) / outline);
}

/** Grown until the strokes are as near to THIN_TARGET as whole steps bring them. */
function widenStrokes(fine, width) {
  const steps = roundEven(((THIN_TARGET - width) / 2) * OVERSAMPLING);
  let field = pad(fine, steps + 1);
  for (let step = 0; step < steps; step++) {
    const wider = dilateOnce(field, step % 2 === 1);
    const reached = strokeWidth(wider) / OVERSAMPLING;
    if (Math.abs(reached - THIN_TARGET) > Math.abs(width - THIN_TARGET)) break;
    [field, width] = [wider, reached];
  }
  return field;
}

function dilate(fine, radius) {
  const steps = roundEven(radius);
  let field = pad(fine, steps + 1);
  for (let step = 0; step < steps; step++) field = dilateOnce(field, step % 2 === 1);
  return field;
}

/** Eroded, by half or a quarter where the strokes would not stay in one piece. */
function erode(fine, radius) {
  const field = pad(fine, 1);
  const whole = countPieces(field);
  for (const steps of [radius, radius / 2, radius / 4].map(roundEven)) {
    let smaller = invert(field);
    for (let step = 0; step < steps; step++) smaller = dilateOnce(smaller, step % 2 === 1);
    smaller = invert(smaller);
    if (countPieces(smaller) === whole) return smaller;
  }
  return field;
}

function invert(field) {
  return { ...field, data: field.data.map((value) => 255 - value) };
}

/** One step of a dilation; crosses and squares in turn make an octagon. */
function dilateOnce(field, square) {
  const upright = maxOfNeighbours(field, field, field.width, 0);
  return maxOfNeighbours(upright, square ? upright : field, 1, 1);
}

/** The greater of a field and the values of another one step before and behind. */
function maxOfNeighbours(field, other, step, across) {
  const { width, height } = field;
  const data = field.data.slice();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const [place, end] = across ? [x, width - 1] : [y, height - 1];
      if (place > 0) data[at] = Math.max(data[at], other.data[at - step]);
      if (place < end) data[at] = Math.max(data[at], other.data[at + step]);
    }
  }
  return { width, height, data };
}

function pad({ width, height, data }, by) {
  const wide = { width: width + 2 * by, height: height + 2 * by };
  wide.data = new Uint8Array(wide.width * wide.height);
  for (let y = 0; y < height; y++) {
    wide.data.set(data.subarray(y * width, (y + 1) * width), (y + by) * wide.width + by);
  }
  return wide;
}

/** Cropped, scaled into 20×20, centred by mass in 28×28. */
function centre(ink) {
  const box = inkBox(ink);
  if (!box) return new Uint8Array(SIDE * SIDE);
  const cropped = crop(ink, box);
  const shrinks = Math.max(cropped.width, cropped.height) > BOX_SIDE;
  const small = resizeToFit(cropped, BOX_SIDE, shrinks ? "box" : "bicubic");
  let total = 0, down = 0, along = 0;
  small.data.forEach((weight, at) => {
    total += weight;
    down += weight * (Math.floor(at / small.width) + 0.5);
    along += weight * ((at % small.width) + 0.5);
  });
  if (!total) return new Uint8Array(SIDE * SIDE);
  return placeAt(small, CENTRE_OF_MASS, CENTRE_OF_MASS, down / total, along / total);
}

function placeAt({ width, height, data }, y, x, middleY, middleX) {
  const clipped = (value, most) => Math.min(Math.max(value, 0), most);
  const top = clipped(roundEven(y - middleY), SIDE - height);
  const left = clipped(roundEven(x - middleX), SIDE - width);
  const field = new Uint8Array(SIDE * SIDE);
  for (let row = 0; row < height; row++) {
    field.set(data.subarray(row * width, (row + 1) * width), (top + row) * SIDE + left);
  }
  return field;
}

function inkBox({ width, height, data }) {
  const least = INK_THRESHOLD * Math.max(1, highest(data));
  let top = height, left = width, bottom = 0, right = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x] <= least) continue;
      top = Math.min(top, y);
      bottom = y + 1;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
    }
  }
  return bottom ? { top, left, bottom, right } : null;
}

function crop({ width, data }, { top, left, bottom, right }) {
  const part = { width: right - left, height: bottom - top };
  part.data = new Uint8Array(part.width * part.height);
  for (let y = 0; y < part.height; y++) {
    const start = (top + y) * width + left;
    part.data.set(data.subarray(start, start + part.width), y * part.width);
  }
  return part;
}

function highest(data) {
  let found = 0;
  for (const value of data) if (value > found) found = value;
  return found;
}

/** Resampled so that the longer side is `side` pixels. */
function resizeToFit(grey, side, kernel) {
  const scale = side / Math.max(grey.height, grey.width);
  const size = (length) => Math.max(1, roundEven(length * scale));
  return resample(grey, size(grey.width), size(grey.height), kernel);
}

/** Rows and columns exchanged. */
export function transpose({ width, height, data }) {
  const result = { width: height, height: width, data: new Uint8Array(data.length) };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) result.data[x * height + y] = data[y * width + x];
  }
  return result;
}
