// Whether the page makes of the drawings what preprocess/canvas.py and fit.py make of them:
//     node tests/web/drawings.mjs mnist_edge/web/page tests/web/drawings.json
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { inflateSync } from "node:zlib";

const [page, file] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(resolve(page, name)));
const { prepareDrawing } = await load("drawing.js");
const { fitImage } = await load("fit.js");
const shape = { height: 28, width: 28, channels: 1 };
const forms = { drawn: prepareDrawing, letterbox: (field) => fitImage(field, shape, "zero-pad") };
const drawings = JSON.parse(readFileSync(file, "utf8"));
const wrong = [];
for (const { name, width, height, ink, ...wanted } of drawings) {
  const field = { width, height, channels: 1, data: new Uint8Array(inflateSync(Buffer.from(ink, "base64"))) };
  for (const [form, bytes] of Object.entries(wanted)) {
    if (!Buffer.from(bytes, "base64").equals(Buffer.from(forms[form](field)))) {
      wrong.push(`${name}: ${form}`);
    }
  }
}
console.log(wrong.length ? wrong.join("\n") : `${drawings.length} drawings`);
process.exit(wrong.length ? 1 : 0);
