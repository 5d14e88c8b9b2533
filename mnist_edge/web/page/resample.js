// Pillow's resampling of 8-bit pixels (src/libImaging/Resample.c), in the same fixed-point numbers:
// first along rows, then along columns, with weights of 22 bits, and 8 bits in between.
//
// Pixels are {width, height, channels, data: Uint8Array}, row by row, channels last.

const BITS = 22;

const KERNELS = { // a weight by its distance, and how far it reaches
  box: { reach: 0.5, weigh: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bicubic: { reach: 2, weigh: bicubic }, // Catmull-Rom's, a = -0.5
};

function bicubic(x) {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** Pixels in another size; a pass that changes no length is left out. */
export function resample(pixels, width, height, kernel = "bicubic") {
  const across = width === pixels.width ? pixels
    : along(pixels, { width, height: pixels.height }, KERNELS[kernel], "x");
  return height === across.height ? across : along(across, { width, height }, KERNELS[kernel], "y");
}

/** One pass, along x or y. */
function along({ width, height, channels = 1, data }, size, kernel, axis) {
  const rows = axis === "x";
  const windows = rows ? weights(width, size.width, kernel) : weights(height, size.height, kernel);
  const step = rows ? channels : width * channels; // from one pixel of a window to the next
  const row = size.width * channels;
  const result = new Uint8Array(size.height * row);
  for (let y = 0; y < size.height; y++) {
    for (let at = 0; at < row; at++) {
      const channel = at % channels;
      const { first, window } = windows[rows ? (at - channel) / channels : y];
      let from = rows ? y * width * channels + first * channels + channel : first * step + at;
      let sum = 2 ** (BITS - 1);
      for (let k = 0; k < window.length; k++, from += step) sum += data[from] * window[k];
      result[y * row + at] = Math.min(255, Math.max(0, Math.floor(sum / 2 ** BITS)));
    }
  }
  return { ...size, channels, data: result };
}

/** For each wanted pixel, the first pixel that counts for it, and their weights. */
function weights(from, wanted, { reach, weigh }) {
  const scale = from / wanted, wider = Math.max(1, scale);
  const far = reach * wider, finer = 1 / wider;
  return Array.from({ length: wanted }, (_, x) => {
    const middle = (x + 0.5) * scale;
    const first = Math.max(0, Math.trunc(middle - far + 0.5));
    const end = Math.min(from, Math.trunc(middle + far + 0.5));
    const window = [];
    let total = 0;
    for (let at = first; at < end; at++) {
      const weight = weigh((at - middle + 0.5) * finer);
      window.push(weight);
      total += weight;
    }
    return { first, window: window.map((weight) => toFixedPoint(total ? weight / total : weight)) };
  });
}

function toFixedPoint(weight) {
  return Math.trunc((weight < 0 ? -0.5 : 0.5) + weight * 2 ** BITS);
}

/** To the nearest whole number, halves to the even one, as Python and NumPy round. */
export function roundEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}
