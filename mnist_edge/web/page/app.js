// The page: what is drawn or shown goes to an engine, and what it answers is shown.

import { Camera, hasCameras } from "./camera.js";
import { prepareDrawing } from "./drawing.js";
import { open } from "./engines.js";
import { Pad } from "./pad.js";

const $ = (id) => document.getElementById(id);
const QUIET_MS = 600; // after which an answer is told to a screen reader
const MOST_LATENCIES = 1000;
const SEEN = { small: 196, large: 252 }; // pixels, at most, of the picture that the network sees
const MOST_SHOWN = 1600; // pixels, of a picture's longer side on the sheet
const SHORT_NAME = 2, USUAL_NAME = 14; // letters of a class

// What the page is for, by the file: digits to be drawn, other grey pictures, colours.
const KINDS = {
  digit: {
    title: "Draw a digit",
    nothing: "Nothing is drawn yet.",
    invitation: "Draw here,\nor drop or paste a picture",
    choose: "Picture or photo",
  },
  drawing: {
    title: "Draw a picture",
    nothing: "Nothing is drawn yet.",
    invitation: "Draw here,\nor drop or paste a picture",
    choose: "Picture or photo",
  },
  picture: {
    title: "Show a picture",
    nothing: "There is no picture yet.",
    invitation: matchMedia("(pointer: coarse)").matches
      ? "Choose a picture"
      : "Drop or paste a picture here,\nor choose one",
    choose: "Choose a picture",
  },
};

export const state = { site: null, engine: null, model: null };
let latencies = [];
let busy = false, dirty = false, spoken;

export const pad = new Pad($("pad"), () => refresh());
export const camera = new Camera($("live"), showCamera);
$("undo").addEventListener("click", () => pad.undo());
$("clear").addEventListener("click", () => pad.clear());
$("model").addEventListener("change", () => choose($("model").selectedIndex));
$("inverted").addEventListener("change", refresh);
$("sheet").addEventListener("click", () => !pad.drawable && pad.empty && !camera.on && $("file").click());
$("camera").addEventListener("click", openCamera);
$("take").addEventListener("click", takePicture);
$("close").addEventListener("click", () => camera.close());
$("file").addEventListener("change", () => {
  take($("file").files[0]);
  $("file").value = ""; // so that the same picture can be chosen again
});
addEventListener("keydown", shortcut);
addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find(isPicture);
  if (file) take(file);
});
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) addEventListener(kind, dragged);
export const started = start();

async function start() {
  try {
    const response = await fetch("site.json");
    state.site = await response.json();
    const opening = open(state.site);
    fillModels();
    state.engine = await opening;
    $("engine").textContent = state.engine.told;
    await choose(0);
    if (state.site.engine.kind !== "server") await navigator.serviceWorker?.register("sw.js");
  } catch (error) {
    $("engine").textContent = "";
    fail(error);
  }
}

function fillModels() {
  const options = state.site.models.map((model) => {
    const { correct, total } = model.accuracy;
    return new Option(`${model.name} · ${model.precision} · ${percent(correct / total, 2)}`);
  });
  $("model").replaceChildren(...options);
  $("model").disabled = false;
  showModel(state.site.models[0]);
}

async function choose(index) {
  const model = state.site.models[index];
  showModel(model);
  if (!state.engine) return;
  await refresh();
  const found = await state.engine.selfTest(model).catch((error) => ({ passed: false, text: error.message }));
  if (state.model !== model) return;
  const told = found?.text ?? "this file carries none";
  $("self-test").textContent = told.replace("|Δ", "|\u2060Δ"); // no new line within |Δlogit|
  $("self-test").className = found ? (found.passed ? "passed" : "failed") : "";
  if (found && !found.passed) $("checks").open = true; // what failed is in nobody's way to see
}

function showModel(model) {
  state.model = model;
  latencies = [];
  const { correct, total } = model.accuracy;
  $("file-facts").textContent = `${model.file}, ${bytes(model.size_bytes)}`;
  $("accuracy").textContent = `${percent(correct / total, 2)} of ${total.toLocaleString("en")}`;
  $("self-test").textContent = "…";
  $("self-test").className = "";
  showForm(model);
  showClasses(model.classes);
  showNothing();
}

function kindOf({ shape, fit, reads_digits: readsDigits }) {
  if (shape.channels === 3) return "picture"; // one draws in ink: a drawing is grey
  return fit === "digit" && readsDigits ? "digit" : "drawing";
}

/** What is drawn or shown, and how: by the shape of the model's images. */
function showForm(model) {
  const { shape: { height, width, channels }, fit } = model;
  const kind = kindOf(model);
  const { title, invitation, choose } = KINDS[kind];
  document.title = `mnist-edge: ${title.toLowerCase()}`;
  $("pad-title").textContent = title;
  $("invitation").textContent = invitation;
  $("choose").textContent = choose;
  $("dark").hidden = kind === "picture" || fit === "digit";
  $("camera").hidden = kind === "digit" || !hasCameras;
  $("tools").classList.toggle("many", kind !== "digit");
  $("no-camera").hidden = kind === "digit" || hasCameras;
  if (kind === "digit") camera.close();
  $("sheet").classList.toggle("pictures", kind === "picture");
  $("sheet").classList.toggle("covered", fit === "crop");
  $("sheet").style.setProperty("--aspect", width / height);
  $("pen-help").hidden = kind === "picture";
  $("paste-help").hidden = kind !== "picture";
  pad.setForm(model.shape, { drawable: kind !== "picture", covered: fit === "crop" });
  const seen = $("seen"), longest = Math.max(height, width);
  Object.assign(seen, { width, height });
  seen.style.setProperty("--width", width);
  for (const [name, most] of Object.entries(SEEN)) seen.style.setProperty(`--${name}`, Math.floor(most / longest));
  const colours = channels === 3 ? "coloured" : "grey";
  seen.ariaLabel = `The picture as the network gets it: ${width} by ${height} ${colours} pixels`;
}

function showClasses(classes) {
  const longest = Math.max(...classes.map((name) => name.length));
  const named = longest > SHORT_NAME, long = longest > USUAL_NAME;
  for (const part of [$("bars"), $("verdict")]) {
    part.classList.toggle("named", named);
    part.classList.toggle("long", long);
  }
  $("bars").replaceChildren(...classes.map((name) => {
    const row = document.createElement("li");
    for (const part of ["name", "track", "value"]) {
      const cell = row.appendChild(document.createElement("span"));
      cell.className = part;
    }
    row.children[0].textContent = row.title = name;
    row.children[1].appendChild(document.createElement("span")).className = "bar";
    row.children[1].ariaHidden = "true";
    return row;
  }));
  if (overflows($("bars"))) $("bars").tabIndex = 0; // to be scrolled by keyboard
  else $("bars").removeAttribute("tabindex");
}

function overflows(list) {
  return list.scrollHeight > list.clientHeight;
}

/** A picture that was chosen, dropped, pasted, or taken with the camera. */
async function take(file) {
  if (!file || !state.engine) return;
  try {
    const image = await shrunk(await createImageBitmap(file));
    camera.close();
    pad.show({ image, file });
  } catch {
    fail(new Error(`${file.name || "that"} is no picture that this browser can read`));
  }
}

/** A picture as large as a screen shows it: whole photographs to undo would fill a phone. */
async function shrunk(image) {
  const scale = MOST_SHOWN / Math.max(image.width, image.height);
  if (scale >= 1) return image;
  const [resizeWidth, resizeHeight] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  const small = await createImageBitmap(image, { resizeWidth, resizeHeight, resizeQuality: "high" });
  image.close();
  return small;
}

async function openCamera() {
  $("error").textContent = "";
  try {
    await camera.open();
    if (camera.on) $("take").focus();
  } catch (error) {
    fail(error);
  }
}

async function takePicture() {
  const file = await camera.take();
  if (!file) return;
  await take(file);
  $("camera").focus();
}

function showCamera(reason) {
  $("live").hidden = $("live-tools").hidden = !camera.on;
  $("tools").hidden = camera.on;
  if (camera.on) showNothing();
  else refresh();
  say(camera.on ? "The camera is on." : "The camera is off.");
  if (reason) fail(new Error(reason));
}

/** Ask for an answer to what there is now; one question at a time, and never an old one last. */
export async function refresh() {
  $("undo").disabled = !pad.canUndo;
  $("clear").disabled = pad.empty;
  $("sheet").classList.toggle("used", !pad.empty);
  dirty = true;
  if (busy || !state.engine) return;
  busy = true;
  try {
    while (dirty) {
      dirty = false;
      await ask();
    }
  } finally {
    busy = false;
  }
}

/** Whether what is shown is of what is drawn now. */
export function settled() {
  return !busy && !dirty;
}

async function ask() {
  const { engine, model } = state;
  if (pad.empty || camera.on) return showNothing();
  try {
    const found = pad.picture
      ? await engine.picture(model, pad.picture.file)
      : await engine.answer(model, await imageOf(model));
    if (model === state.model) show(found);
  } catch (error) {
    fail(error);
  }
}

async function imageOf(model) {
  const ink = pad.ink();
  if (model.fit === "digit") return prepareDrawing(ink);
  const { fitImage } = await import("./fit.js"); // those of digits are here sooner without it
  if ($("inverted").checked) ink.data = ink.data.map((value) => 255 - value);
  return fitImage(ink, model.shape, model.fit);
}

function show({ image, label, probabilities, latencyUs, digits = 1 }) {
  const { fit, threshold } = state.model;
  const blank = fit === "digit" && !image.some((value) => value > 0);
  const highest = Math.max(...probabilities);
  const several = digits > 1;
  const sure = !blank && !several && highest >= (threshold ?? 0);
  const told = blank ? "Nothing is to be seen on it."
    : several ? severalOf(digits)
    : sure ? `${percent(highest)}: sure`
    : `${percent(highest)}: not sure (below ${percent(threshold, 2)})`;
  $("error").textContent = "";
  $("label").textContent = $("label").title = blank ? "–" : several ? "?" : label;
  $("label").classList.toggle("unsure", !sure);
  $("sure").textContent = told;
  [...$("bars").children].forEach((row, at) => {
    const probability = blank ? 0 : probabilities[at];
    row.classList.toggle("top", !blank && probability === highest);
    row.querySelector(".bar").style.transform = `scaleX(${probability})`;
    row.children[2].textContent = percent(probability);
  });
  showTop();
  showSeen(image);
  latencies.push(latencyUs);
  if (latencies.length > MOST_LATENCIES) latencies.shift();
  $("latency").textContent = duration(latencyUs);
  $("median").textContent = `${duration(median(latencies))}, of ${latencies.length}`;
  say(blank || several ? told : `${label}, ${told}`);
}

function severalOf(count) {
  const noun = state.model.reads_digits ? "digits" : "characters";
  return `Several ${noun} (${count}) are here: mnist-edge predict --line or --grid reads them.`;
}

/** Scroll a long list to the likeliest class. */
function showTop() {
  const list = $("bars"), top = list.querySelector(".top");
  if (!top || !overflows(list)) return;
  const place = top.offsetTop - list.scrollTop;
  if (place < 0 || place + top.offsetHeight > list.clientHeight) list.scrollTop = top.offsetTop;
}

function showNothing() {
  $("label").textContent = "–";
  $("label").title = "";
  $("label").classList.remove("unsure");
  $("sure").textContent = camera.on ? "Take a picture: it is answered then." : KINDS[kindOf(state.model)].nothing;
  for (const row of $("bars").children) {
    row.classList.remove("top");
    row.querySelector(".bar").style.transform = "scaleX(0)";
    row.children[2].textContent = "–";
  }
  $("latency").textContent = "–";
  $("median").textContent = latencies.length ? `${duration(median(latencies))}, of ${latencies.length}` : "–";
  const { height, width, channels } = state.model.shape;
  showSeen(new Uint8Array(height * width * channels));
}

function showSeen(image) {
  const { height, width, channels } = state.model.shape;
  const context = $("seen").getContext("2d");
  const pixels = context.createImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    const value = image.subarray(at * channels, (at + 1) * channels);
    pixels.data.set(channels === 3 ? [...value, 255] : [value[0], value[0], value[0], 255], 4 * at);
  }
  context.putImageData(pixels, 0, 0);
}

function say(text) {
  clearTimeout(spoken);
  spoken = setTimeout(() => { $("spoken").textContent = text; }, QUIET_MS);
}

function fail(error) {
  $("error").textContent = error.message;
}

function shortcut(event) {
  const typing = event.target.matches?.("select, input");
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
    event.preventDefault();
    pad.undo();
  } else if (event.key === "Escape") {
    camera.close();
  } else if (!typing && (event.key === "Delete" || event.key === "Backspace")) {
    event.preventDefault();
    pad.clear();
  }
}

function dragged(event) {
  event.preventDefault();
  const over = event.type === "dragenter" || event.type === "dragover";
  $("sheet").classList.toggle("dropping", over);
  if (event.type === "drop") take([...event.dataTransfer.files].find(isPicture) ?? event.dataTransfer.files[0]);
}

function isPicture(file) {
  return file.type.startsWith("image/");
}

function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)} %`;
}

function bytes(size) {
  return size < 1e6 ? `${Math.round(size / 1000)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}

function duration(us) {
  return us < 1000 ? `${us.toFixed(0)} µs` : `${(us / 1000).toFixed(1)} ms`;
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
