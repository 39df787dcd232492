// What a page needs to be drawn on, and to show what a network makes of it.
import { sharp } from "./common.js";

export const SIDE = 140; // of the bitmap that is sent, in pixels
const BRUSH = 0.09; // of the drawing area's width: gives an image as much ink as MNIST's have on average

// Strokes of digits, for those who cannot draw, and to see how it looks.
const EXAMPLES = [
  ".5 .15 .32 .25 .28 .5 .33 .75 .5 .85 .67 .75 .72 .5 .68 .25 .5 .15",
  ".42 .25 .52 .15 .52 .15 .52 .85",
  ".3 .3 .37 .18 .5 .14 .63 .19 .68 .32 .62 .48 .3 .84 .3 .84 .72 .84",
  ".32 .2 .5 .14 .65 .22 .65 .38 .48 .48 .48 .48 .66 .58 .68 .74 .52 .85 .32 .79",
  ".6 .85 .6 .15 .6 .15 .28 .6 .28 .6 .74 .6",
  ".68 .16 .36 .16 .36 .16 .33 .46 .33 .46 .52 .41 .67 .52 .68 .7 .54 .84 .33 .8",
  ".62 .15 .42 .35 .33 .6 .38 .8 .52 .86 .66 .78 .67 .62 .54 .53 .36 .62",
  ".3 .16 .7 .16 .7 .16 .56 .45 .45 .85",
  ".52 .48 .36 .36 .38 .2 .52 .14 .65 .21 .64 .36 .36 .6 .35 .78 .51 .86 .67 .78 .66 .62 .52 .48",
  ".66 .32 .54 .44 .38 .4 .35 .24 .48 .14 .63 .18 .66 .32 .62 .6 .54 .85",
];
/** More points between these, on a curve through all of them (Catmull-Rom). */
function smooth(points) {
  const curve = [];
  const at = (k, axis) => points[Math.min(Math.max(k, 0), points.length - 1)][axis];
  for (let k = 0; k < points.length - 1; k++) {
    for (let t = 0; t < 1; t += 0.125) {
      curve.push([0, 1].map((axis) => {
        const [a, b, c, d] = [-1, 0, 1, 2].map((next) => at(k + next, axis));
        return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
      }));
    }
  }
  return [...curve, points[points.length - 1]];
}

/** A canvas to draw on, with buttons that undo the last stroke, clear all, and draw the next example. Calls
 * `changed(done)` after every change; `done`: what is drawn is whole for now. */
export class Pad {
  constructor(canvas, undo, clear, example, changed) {
    Object.assign(this, { canvas, undo, clear, changed });
    this.strokes = []; // each a list of [x, y] from 0 to 1
    this.current = null;
    this.next = 0; // example
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.go(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.end(event));
    undo.addEventListener("click", () => this.keep(this.strokes.slice(0, -1)));
    clear.addEventListener("click", () => this.keep([]));
    example.addEventListener("click", () => this.example());
    addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z") undo.click();
      else if (event.key === "Delete") clear.click();
      else return;
      event.preventDefault();
    });
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left - this.canvas.clientLeft) / this.canvas.clientWidth,
      (event.clientY - box.top - this.canvas.clientTop) / this.canvas.clientHeight];
  }

  begin(event) {
    if (this.current !== null || event.button > 0) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.current = { pointer: event.pointerId, stroke: [this.place(event)] };
    this.strokes.push(this.current.stroke);
    this.paint();
    this.changed(false);
  }

  go(event) {
    if (this.current === null || event.pointerId !== this.current.pointer) return;
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of events.length ? events : [event]) this.current.stroke.push(this.place(each));
    this.paint();
    this.changed(false);
  }

  end(event) {
    if (this.current === null || event.pointerId !== this.current.pointer) return;
    this.current = null;
    this.changed(true);
  }

  /** These strokes stay. */
  keep(strokes) {
    if (!this.strokes.length) return;
    this.strokes = strokes;
    this.paint();
    this.changed(true);
  }

  example() {
    const numbers = EXAMPLES[this.next].split(" ").map(Number);
    const stroke = [];
    for (let k = 0; k < numbers.length; k += 2) stroke.push([numbers[k], numbers[k + 1]]);
    this.strokes = [smooth(stroke)];
    this.next = (this.next + 1) % EXAMPLES.length;
    this.paint();
    this.changed(true);
  }

  trace(context, width) {
    context.lineWidth = BRUSH * width;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = "#000000";
    for (const stroke of this.strokes) {
      context.beginPath();
      context.moveTo(stroke[0][0] * width, stroke[0][1] * width);
      for (const [x, y] of stroke) context.lineTo(x * width, y * width);
      context.stroke();
    }
  }

  paint() {
    const { context, width } = sharp(this.canvas);
    this.trace(context, width);
    // Not `disabled`: a button that has just been pressed would lose the keyboard's focus.
    for (const button of [this.undo, this.clear]) button.setAttribute("aria-disabled", String(!this.strokes.length));
  }

  /** The drawing, SIDE pixels a row, as one byte a pixel, 255 for ink. */
  bitmap() {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    this.trace(context, SIDE);
    const data = context.getImageData(0, 0, SIDE, SIDE).data;
    return Uint8Array.from({ length: SIDE ** 2 }, (_, k) => data[4 * k + 3]);
  }
}

export const percent = (p) => `${(100 * p).toFixed(1)} %`;

/** Makes a list of bars, one for each name. */
export function makeBars(list, names) {
  list.replaceChildren(...names.map((name) => {
    const item = document.createElement("li");
    for (const part of ["label", "track", "value"]) {
      const element = document.createElement(part === "track" ? "div" : "span");
      element.className = part;
      item.append(element);
    }
    const bar = document.createElement("div");
    bar.className = "bar";
    item.children[1].append(bar);
    item.children[0].textContent = name;
    return item;
  }));
}

/** Sets the bars to these probabilities, or to nothing where there are none. */
export function showBars(list, probabilities, winner) {
  for (const [k, item] of [...list.children].entries()) {
    const p = probabilities === null ? 0 : probabilities[k];
    item.className = k === winner ? "winner" : "";
    item.querySelector(".bar").style.width = `${100 * p}%`;
    item.querySelector(".value").textContent = probabilities === null ? "" : percent(p);
  }
}

/** A picture of squares in greys, `side` a row. */
export function squares(canvas, side, grey) {
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(side, side);
  for (let k = 0; k < side ** 2; k++) pixels.data.set([grey(k), grey(k), grey(k), 255], 4 * k);
  context.putImageData(pixels, 0, 0);
}
