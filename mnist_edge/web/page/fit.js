// A picture in a network's shape, byte for byte as mnist_edge/preprocess makes it: fit.py says how
// it is fitted, pixels.py and transparency.py how a large or a transparent one is read.
//
// Pixels are {width, height, channels, data: Uint8Array}, row by row, channels last.

import { resample, roundEven } from "./resample.js";

const USEFUL_SIDE = 1536; // of a picture; a larger one is reduced

/** Pixels of 1 or 3 channels -> Uint8Array of height × width × channels. */
export function fitImage(pixels, shape, fit) {
  if (shape.channels === 1) pixels = toLuminance(pixels);
  if (pixels.width !== shape.width || pixels.height !== shape.height) {
    pixels = fit === "crop" ? crop(pixels, shape) : pad(pixels, shape, fit);
  }
  return shape.channels === 3 ? toRgb(pixels).data : pixels.data;
}

function toLuminance({ width, height, channels, data }) {
  const grey = channels === 1 ? data.slice() : new Uint8Array(width * height);
  for (let at = 0, from = 0; channels === 3 && at < grey.length; at++, from += 3) { // ITU-R BT.601
    grey[at] = (19595 * data[from] + 38470 * data[from + 1] + 7471 * data[from + 2] + 32768) >> 16;
  }
  return { width, height, channels: 1, data: grey };
}

function toRgb({ channels, data, ...size }) {
  const rgb = channels === 3 ? data : Uint8Array.from({ length: 3 * data.length }, (_, at) => data[Math.floor(at / 3)]);
  return { ...size, channels: 3, data: rgb };
}

/** The middle, of the shape's aspect. */
function crop({ width, height, channels, data }, shape) {
  const part = { left: 0, top: 0, width, height };
  if (width * shape.height > height * shape.width) {
    part.width = Math.max(1, Math.floor((2 * height * shape.width + shape.height) / (2 * shape.height)));
    part.left = Math.floor((width - part.width) / 2);
  } else {
    part.height = Math.max(1, Math.floor((2 * width * shape.height + shape.width) / (2 * shape.width)));
    part.top = Math.floor((height - part.height) / 2);
  }
  const middle = { width: part.width, height: part.height, channels, data: new Uint8Array(part.width * part.height * channels) };
  for (let y = 0; y < part.height; y++) {
    const from = ((part.top + y) * width + part.left) * channels;
    middle.data.set(data.subarray(from, from + part.width * channels), y * part.width * channels);
  }
  return resample(middle, shape.width, shape.height);
}

/** All of it; around it is 0, or with "pad" the mean of its border. */
function pad(pixels, shape, fit) {
  const scale = Math.min(shape.height / pixels.height, shape.width / pixels.width);
  const length = (side) => Math.max(1, roundEven(side * scale));
  const { width, height, channels, data } = resample(pixels, length(pixels.width), length(pixels.height));
  const top = roundEven((shape.height - height) / 2), left = roundEven((shape.width - width) / 2);
  const image = { width: shape.width, height: shape.height, channels };
  const ground = fit === "pad" ? borderMean({ width, height, channels, data }) : [0, 0, 0];
  image.data = Uint8Array.from({ length: shape.width * shape.height * channels }, (_, at) => ground[at % channels]);
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width * channels, (y + 1) * width * channels);
    image.data.set(row, ((top + y) * shape.width + left) * channels);
  }
  return image;
}

function borderMean({ width, height, channels, data }) {
  const sums = new Array(channels).fill(0);
  let count = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (y > 0 && x > 0 && y < height - 1 && x < width - 1) continue;
      count++;
      for (let channel = 0; channel < channels; channel++) {
        sums[channel] += data[(y * width + x) * channels + channel];
      }
    }
  }
  return sums.map((sum) => Math.floor((2 * sum + count) / (2 * count)));
}

/** By how much a picture, whose longer side is so long, is reduced before anything else. */
export function reductionOf(side) {
  return Math.max(Math.floor(side / USEFUL_SIDE), side >= 1.5 * USEFUL_SIDE ? 2 : 1);
}

/** RGBA by the means of squares of `factor` × `factor` pixels: Pillow's `reduce`, in which colours
 * count by their alpha, and squares at the right and at the bottom are what is left of them. */
export function reduce({ width, height, data }, factor) {
  const small = { width: Math.ceil(width / factor), height: Math.ceil(height / factor), channels: 4 };
  small.data = new Uint8Array(small.width * small.height * 4);
  for (let y = 0, at = 0; y < small.height; y++) {
    const bottom = Math.min(height, (y + 1) * factor);
    for (let x = 0; x < small.width; x++, at += 4) {
      const right = Math.min(width, (x + 1) * factor);
      const sums = [0, 0, 0, 0];
      for (let v = y * factor; v < bottom; v++) {
        for (let from = 4 * (v * width + x * factor); from < 4 * (v * width + right); from += 4) {
          const alpha = data[from + 3];
          for (let k = 0; k < 3; k++) sums[k] += alpha === 255 ? data[from + k] : over255(data[from + k] * alpha);
          sums[3] += alpha;
        }
      }
      const count = (bottom - y * factor) * (right - x * factor);
      const share = Math.trunc(Math.fround(2 ** 24 / count)); // a division in 24 bits
      const means = sums.map((sum) => Math.floor((sum + (count >> 1)) * share / 2 ** 24));
      const alpha = means[3];
      for (let k = 0; k < 3; k++) {
        const full = alpha === 0 || alpha === 255;
        small.data[at + k] = full ? means[k] : Math.min(255, Math.floor(255 * means[k] / alpha));
      }
      small.data[at + 3] = alpha;
    }
  }
  return small;
}

function over255(product) {
  const sum = product + 128;
  return ((sum >> 8) + sum) >> 8;
}

/** RGBA on a plain ground, as RGB. Where most is opaque, what is transparent gets the colour of
 * the rest; ink on a transparent canvas gets the ground, black or white, that it contrasts with. */
export function flatten({ width, height, data }) {
  const twice = doubledGround(data);
  const flat = new Uint8Array(width * height * 3);
  for (let at = 0, from = 0; at < flat.length; at += 3, from += 4) {
    const alpha = data[from + 3];
    for (let k = 0; k < 3; k++) {
      const mixed = 2 * data[from + k] * alpha + twice[k] * (255 - alpha);
      flat[at + k] = Math.floor((mixed + 255) / 510);
    }
  }
  return { width, height, channels: 3, data: flat };
}

/** Twice the ground's colour: a median may lie between two values. */
function doubledGround(data) {
  const counts = [0, 1, 2].map(() => new Uint32Array(256));
  let seen = 0, ink = 0, weight = 0;
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3];
    weight += alpha;
    ink += alpha * (data[at] + data[at + 1] + data[at + 2]);
    if (alpha < 128) continue;
    seen++;
    counts.forEach((channel, k) => { channel[data[at + k]]++; });
  }
  if (2 * seen > data.length / 4) return counts.map((channel) => doubledMedian(channel, seen));
  const light = weight > 0 && 2 * ink >= 255 * 3 * weight;
  return light ? [0, 0, 0] : [510, 510, 510];
}

function doubledMedian(counts, total) {
  const valueOf = (rank) => {
    let below = 0;
    return counts.findIndex((count) => (below += count) > rank);
  };
  return valueOf((total - 1) >> 1) + valueOf(total >> 1);
}
