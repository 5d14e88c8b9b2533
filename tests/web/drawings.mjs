// Whether drawing.js makes of the drawings what preprocess/canvas.py makes of them:
//     node tests/web/drawings.mjs mnist_edge/web/page/drawing.js tests/web/drawings.json
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { inflateSync } from "node:zlib";

const [module, file] = process.argv.slice(2);
const { prepareDrawing, letterbox } = await import(pathToFileURL(resolve(module)));
const forms = { drawn: prepareDrawing, letterbox };
const drawings = JSON.parse(readFileSync(file, "utf8"));
const wrong = [];
for (const { name, width, height, ink, ...wanted } of drawings) {
  const field = { width, height, data: new Uint8Array(inflateSync(Buffer.from(ink, "base64"))) };
  for (const [form, bytes] of Object.entries(wanted)) {
    if (!Buffer.from(bytes, "base64").equals(Buffer.from(forms[form](field)))) {
      wrong.push(`${name}: ${form}`);
    }
  }
}
console.log(wrong.length ? wrong.join("\n") : `${drawings.length} drawings`);
process.exit(wrong.length ? 1 : 0);
