// Whether fit.js makes of the pictures what preprocess/fit.py makes of them:
//     node tests/web/fit.mjs mnist_edge/web/page/fit.js tests/preprocess/fit_vectors.json
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [module, file] = process.argv.slice(2);
const { fitImage } = await import(pathToFileURL(resolve(module)));
const vectors = JSON.parse(readFileSync(file, "utf8"));
const wrong = [];
for (const { width, height, channels, seed, shape, fit, sha256, first } of vectors) {
  const image = fitImage({ width, height, channels, data: drawn(width, height, channels, seed) }, shape, fit);
  const digest = createHash("sha256").update(image).digest("hex");
  if (digest !== sha256 || first.some((value, k) => image[k] !== value)) {
    wrong.push(`${width}×${height}×${channels} ${fit} ${JSON.stringify(shape)}: ${image.slice(0, 3)}`);
  }
}
console.log(wrong.length ? wrong.join("\n") : `${vectors.length} pictures`);
process.exit(wrong.length ? 1 : 0);

function drawn(width, height, channels, seed) {
  const data = new Uint8Array(width * height * channels);
  let state = seed;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++, at++) {
        state = (Math.imul(1664525, state) + 1013904223) >>> 0;
        data[at] = (7 + seed) * x + 5 * y + 60 * c + (x * y >> 4) + (state >>> 27);
      }
    }
  }
  return data;
}
