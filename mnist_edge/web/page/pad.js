// The canvas that is drawn on, or that shows a picture: strokes of a pen, by mouse, finger, stylus
// or keyboard. Files that take colours show pictures only; what was drawn is kept for the others.

const SIDE = 280; // the longer, of the field in which strokes are kept, whatever size it is shown at
const PEN = 20; // width
const STEP = 7; // of the keyboard's pen

export class Pad {
  /** `changed` is called whenever what is drawn has changed. */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.width = this.height = SIDE;
    this.drawable = true;
    this.covered = false; // by a picture, of which then only the middle is seen
    this.strokes = [];
    this.picture = null; // {image: ImageBitmap, file}, in place of strokes
    this.undone = []; // what was there before it was cleared, or a picture was put on it
    this.pen = { x: SIDE / 2, y: SIDE / 2, down: false, shown: false };
    this.field = document.createElement("canvas").getContext("2d", { willReadFrequently: true, alpha: false });
    this.active = new Map(); // strokes under way, by pointer
    canvas.addEventListener("pointerdown", (event) => this.drawable && this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(end, (event) => this.active.delete(event.pointerId));
    }
    canvas.addEventListener("keydown", (event) => this.drawable && this.#key(event));
    canvas.addEventListener("focus", () => this.#showPen(canvas.matches(":focus-visible")));
    canvas.addEventListener("blur", () => this.#showPen(false));
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  get empty() {
    return !this.picture && !this.#drawn;
  }

  get canUndo() {
    return this.#drawn || this.undone.some((before) => this.drawable || before.picture || this.picture);
  }

  get #drawn() {
    return this.drawable && this.strokes.length > 0;
  }

  /** Take the aspect of a shape. */
  setForm({ width, height }, { drawable, covered }) {
    const scale = SIDE / Math.max(width, height);
    Object.assign(this, { width: Math.round(width * scale), height: Math.round(height * scale), drawable, covered });
    const { canvas } = this;
    canvas.role = drawable ? "application" : "img";
    canvas.ariaRoleDescription = drawable ? "drawing area" : null;
    canvas.tabIndex = drawable ? 0 : -1;
    this.pen.down = false;
    this.active.clear();
    this.redraw();
  }

  /** What is drawn, in grey: 0 is canvas, 255 ink. */
  ink() {
    const { width, height } = this;
    if (this.field.canvas.width !== width || this.field.canvas.height !== height) {
      Object.assign(this.field.canvas, { width, height });
    }
    this.field.fillStyle = "#000";
    this.field.fillRect(0, 0, width, height);
    this.#draw(this.field, 1, "#fff");
    const pixels = this.field.getImageData(0, 0, width, height).data;
    const data = Uint8Array.from({ length: width * height }, (_, at) => pixels[4 * at]);
    return { width, height, channels: 1, data };
  }

  /** Put a picture in place of what is drawn. */
  show(picture) {
    this.#keep();
    this.strokes = [];
    this.picture = picture;
    this.#told();
  }

  undo() {
    if (!this.canUndo) return;
    if (this.#drawn) this.strokes.pop();
    else Object.assign(this, this.undone.pop());
    this.pen.down = false;
    this.active.clear();
    this.#told();
  }

  clear() {
    if (this.empty) return;
    this.#keep();
    this.strokes = [];
    this.picture = null;
    this.pen.down = false;
    this.active.clear();
    this.#told();
  }

  redraw() {
    const scale = this.canvas.clientWidth * devicePixelRatio / this.width;
    const width = Math.max(1, Math.round(this.width * scale));
    const height = Math.max(1, Math.round(this.height * scale));
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    context.clearRect(0, 0, width, height);
    if (this.picture) this.#fit(context, width, height);
    if (!this.drawable) return;
    this.#draw(context, scale, style.getPropertyValue("--ink"));
    if (this.pen.shown) this.#drawPen(context, scale, style.getPropertyValue("--accent"));
  }

  #keep() {
    this.undone.push({ strokes: this.strokes, picture: this.picture });
    if (this.undone.length > 20) this.undone.shift();
  }

  #told() {
    this.redraw();
    this.changed();
  }

  #fit(context, width, height) {
    const { image } = this.picture;
    const scales = [width / image.width, height / image.height];
    const scale = this.covered ? Math.max(...scales) : Math.min(...scales);
    const [w, h] = [image.width * scale, image.height * scale];
    context.imageSmoothingQuality = "high";
    context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
  }

  #draw(context, scale, colour) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = PEN * scale;
    context.lineCap = context.lineJoin = "round";
    for (const points of this.strokes) {
      const at = (point) => [point[0] * scale, point[1] * scale];
      context.beginPath();
      if (points.length === 1) {
        context.arc(...at(points[0]), PEN * scale / 2, 0, 2 * Math.PI);
        context.fill();
        continue;
      }
      context.moveTo(...at(points[0]));
      for (let n = 1; n < points.length - 1; n++) { // smooth: through the middles between points
        const middle = [0, 1].map((k) => (points[n][k] + points[n + 1][k]) / 2);
        context.quadraticCurveTo(...at(points[n]), ...at(middle));
      }
      context.lineTo(...at(points.at(-1)));
      context.stroke();
    }
  }

  #drawPen(context, scale, colour) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 2 * scale;
    context.beginPath();
    context.arc(this.pen.x * scale, this.pen.y * scale, (PEN / 2 + 3) * scale, 0, 2 * Math.PI);
    context.stroke();
    if (!this.pen.down) return;
    context.beginPath();
    context.arc(this.pen.x * scale, this.pen.y * scale, 3 * scale, 0, 2 * Math.PI);
    context.fill();
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      (event.clientX - box.left) * this.width / box.width,
      (event.clientY - box.top) * this.height / box.height,
    ];
  }

  #begin(point) {
    if (this.picture) {
      this.#keep();
      this.picture = null;
    }
    const stroke = [point];
    this.strokes.push(stroke);
    return stroke;
  }

  #down(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pen.shown = false;
    this.active.set(event.pointerId, this.#begin(this.#place(event)));
    this.#told();
  }

  #move(event) {
    const stroke = this.active.get(event.pointerId);
    if (!stroke) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const move of moves.length ? moves : [event]) stroke.push(this.#place(move));
    this.#told();
  }

  #key(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if ((!way && event.key !== " ") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.pen.shown = true;
    if (way) {
      const step = event.shiftKey ? 3 * STEP : STEP;
      this.pen.x = Math.min(this.width, Math.max(0, this.pen.x + way[0] * step));
      this.pen.y = Math.min(this.height, Math.max(0, this.pen.y + way[1] * step));
    } else {
      this.pen.down = !this.pen.down;
      if (this.pen.down) this.pen.stroke = this.#begin([this.pen.x, this.pen.y]);
    }
    if (!this.pen.down) return this.redraw();
    if (way) this.pen.stroke.push([this.pen.x, this.pen.y]);
    this.#told();
  }

  #showPen(shown) {
    this.pen.shown = shown;
    if (!shown) this.pen.down = false;
    this.redraw();
  }
}
