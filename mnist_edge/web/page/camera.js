// The camera, live on the page until a picture is taken of it.

const WANTED = { audio: false, video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } } };
const REASONS = {
  NotAllowedError: "the camera was refused: allow it for this page in the browser, or choose a picture",
  NotFoundError: "there is no camera here: choose a picture",
  NotReadableError: "the camera is in use by another program: close that, or choose a picture",
};

/** Whether browsers let this page ask for one: on https and on localhost alone. */
export const hasCameras = Boolean(globalThis.navigator?.mediaDevices?.getUserMedia);

export class Camera {
  /** `changed` is called whenever it goes on or off, with a reason where it went off by itself. */
  constructor(video, changed) {
    this.video = video;
    this.changed = changed;
    this.stream = null;
    this.asked = 0;
    document.addEventListener("visibilitychange", () => document.hidden && this.close());
  }

  get on() {
    return this.stream !== null;
  }

  /** Error with a reason for a person. */
  async open() {
    const asked = ++this.asked;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia(WANTED);
    } catch (error) {
      if (asked !== this.asked) return;
      throw new Error(REASONS[error.name] ?? `the camera cannot be used (${error.name}): choose a picture`);
    }
    if (asked !== this.asked) return stop(stream); // something else was done meanwhile
    this.close();
    this.stream = stream;
    for (const track of stream.getTracks()) {
      track.addEventListener("ended", () => {
        if (this.stream === stream) this.close("the camera went off: switch it on again, or choose a picture");
      });
    }
    this.video.srcObject = stream;
    await this.video.play().catch(() => {}); // where it was closed meanwhile
    this.changed();
  }

  close(reason) {
    this.asked++;
    if (!this.stream) return;
    stop(this.stream);
    this.stream = this.video.srcObject = null;
    this.changed(reason);
  }

  /** What it shows now, as a file without loss; null before its first picture. */
  async take() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width) return null;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    return new File([blob], "camera.png", { type: blob.type });
  }
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}
