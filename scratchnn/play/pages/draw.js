// The page on which one draws, and sees what a network makes of it.
import { ask, byId, colour, mixed, onLookChanged, rgb, sharp } from "./common.js";

const SIDE = 140; // of the bitmap that is sent, in pixels
const BRUSH = 0.09; // of the drawing area's width: gives an image as much ink as MNIST's have on average

const pad = byId("pad"), undo = byId("undo"), clear = byId("clear"), result = byId("result");
let strokes = []; // each a list of [x, y] from 0 to 1
let current = null;
let model = null;
let answer = null;

// --- drawing ---------------------------------------------------------------------------------------------------

function trace(context, width) {
  context.lineWidth = BRUSH * width;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = "#000000";
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(stroke[0][0] * width, stroke[0][1] * width);
    for (const [x, y] of stroke) context.lineTo(x * width, y * width);
    context.stroke();
  }
}

function paint() {
  const { context, width } = sharp(pad);
  trace(context, width);
  // Not `disabled`: a button that has just been pressed would lose the keyboard's focus.
  for (const button of [undo, clear]) button.setAttribute("aria-disabled", String(strokes.length === 0));
}

/** The drawing as one byte a pixel, 255 for ink, in base64. */
function bitmap() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  trace(context, SIDE);
  const data = context.getImageData(0, 0, SIDE, SIDE).data;
  let text = "";
  for (let k = 3; k < data.length; k += 4) text += String.fromCharCode(data[k]);
  return btoa(text);
}

function place(event) {
  const box = pad.getBoundingClientRect();
  return [(event.clientX - box.left - pad.clientLeft) / pad.clientWidth,
    (event.clientY - box.top - pad.clientTop) / pad.clientHeight];
}

pad.addEventListener("pointerdown", (event) => {
  if (current !== null || event.button > 0) return;
  event.preventDefault();
  pad.setPointerCapture(event.pointerId);
  current = { pointer: event.pointerId, stroke: [place(event)] };
  strokes.push(current.stroke);
  changed(false);
});
pad.addEventListener("pointermove", (event) => {
  if (current === null || event.pointerId !== current.pointer) return;
  const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const each of events.length ? events : [event]) current.stroke.push(place(each));
  changed(false);
});
for (const name of ["pointerup", "pointercancel"]) {
  pad.addEventListener(name, (event) => {
    if (current === null || event.pointerId !== current.pointer) return;
    current = null;
    changed(true);
  });
}

undo.addEventListener("click", () => {
  if (!strokes.length) return;
  strokes.pop();
  changed(true);
});
clear.addEventListener("click", () => {
  if (!strokes.length) return;
  strokes = [];
  changed(true);
});
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z") undo.click();
  else if (event.key === "Delete") clear.click();
  else return;
  event.preventDefault();
});

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
let example = 0;

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

byId("example").addEventListener("click", () => {
  const numbers = EXAMPLES[example].split(" ").map(Number);
  const stroke = [];
  for (let k = 0; k < numbers.length; k += 2) stroke.push([numbers[k], numbers[k + 1]]);
  strokes = [smooth(stroke)];
  example = (example + 1) % EXAMPLES.length;
  changed(true);
});

// --- asking ----------------------------------------------------------------------------------------------------

let asking = false, again = false, tell = false;

/** The drawing has changed; `done`: and is whole for now, so that the answer is to be said aloud. */
function changed(done) {
  paint();
  again = true;
  document.body.dataset.answered = "no";
  tell = tell || done;
  if (!asking) askOnce();
}

async function askOnce() {
  if (model === null) return;
  asking = true;
  while (again) { // what was drawn meanwhile is asked for in one question
    again = false;
    const aloud = tell;
    tell = false;
    try {
      answer = await ask("/api/draw", { width: SIDE, ink: bitmap() });
      byId("problem").textContent = "";
      show(aloud);
    } catch (error) {
      byId("problem").textContent = error.message;
    }
  }
  asking = false;
  document.body.dataset.answered = "yes";
}

const percent = (p) => `${(100 * p).toFixed(1)} %`;

function show(aloud) {
  const { winner, probabilities } = answer;
  for (const [k, item] of [...byId("bars").children].entries()) {
    const p = probabilities === null ? 0 : probabilities[k];
    item.className = k === winner ? "winner" : "";
    item.querySelector(".bar").style.width = `${100 * p}%`;
    item.querySelector(".value").textContent = probabilities === null ? "" : percent(p);
  }
  if (aloud) {
    result.textContent = winner === null ? "Nothing drawn yet."
      : `It looks like ${model.classes[winner]}: ${percent(probabilities[winner])}.`;
  }
  pictures();
}

// --- what it sees ----------------------------------------------------------------------------------------------

function pictures() {
  if (model === null) return;
  const name = answer !== null && answer.winner !== null ? model.classes[answer.winner] : null;
  const seen = byId("seen"), spoke = byId("spoke");
  squares(seen, (k) => answer === null ? 255 : 255 - answer.image[k]);
  seen.setAttribute("aria-label", `The drawing as the network sees it, ${model.side} times ${model.side} pixels`
    + (name === null ? ": nothing yet" : ""));
  opinions(spoke);
  spoke.setAttribute("aria-label", name === null ? "Which pixels spoke for and against: nothing yet"
    : `Which pixels spoke for ${name} and which against it`);
}

/** A grid of squares in greys. */
function squares(canvas, grey) {
  canvas.width = canvas.height = model.side;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(model.side, model.side);
  for (let k = 0; k < model.side ** 2; k++) pixels.data.set([grey(k), grey(k), grey(k), 255], 4 * k);
  context.putImageData(pixels, 0, 0);
}

/** What each pixel said, in colours; those against it have a dot as well. */
function opinions(canvas) {
  const { context, width } = sharp(canvas);
  const cell = width / model.side;
  const paper = rgb(colour("paper")), yes = rgb(colour("class-0")), no = rgb(colour("class-1"));
  context.fillStyle = colour("paper");
  context.fillRect(0, 0, width, width);
  if (answer === null || answer.spoke === null) return;
  answer.spoke.forEach((value, k) => {
    const strength = Math.abs(value) ** 0.6;
    if (strength < 0.06) return;
    const x = (k % model.side) * cell, y = Math.floor(k / model.side) * cell;
    context.fillStyle = `rgb(${mixed(value > 0 ? yes : no, paper, strength).join()})`;
    context.fillRect(x, y, cell + 0.3, cell + 0.3);
    if (value < 0 && strength > 0.2) {
      context.fillStyle = colour("paper");
      context.beginPath();
      context.arc(x + cell / 2, y + cell / 2, cell / 5, 0, 7);
      context.fill();
    }
  });
}

// --- the model -------------------------------------------------------------------------------------------------

function bars() {
  const list = byId("bars");
  list.replaceChildren(...model.classes.map((name) => {
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

async function begin() {
  let state;
  try {
    state = await ask("/api/model");
  } catch (error) {
    byId("problem").textContent = error.message;
    return;
  }
  byId("learning").hidden = state.ready || state.error !== "";
  byId("progress").value = state.progress;
  if (state.error) {
    byId("problem").textContent = state.error;
  } else if (!state.ready) {
    setTimeout(begin, 250);
  } else {
    model = state;
    const digits = model.classes.join() === "0,1,2,3,4,5,6,7,8,9";
    byId("title").textContent = digits ? "Draw a digit" : "Draw";
    byId("example").hidden = !digits;
    byId("seen-caption").textContent = `As the network sees it: ${model.side} × ${model.side}`;
    byId("model").textContent = `${model.parameters.toLocaleString("en")} weights`
      + (model.accuracy === null ? "." : `; of digits it had not seen, ${percent(model.accuracy)} right.`);
    bars();
    pictures();
    document.body.dataset.ready = "yes";
    if (strokes.length) changed(true);
  }
}

onLookChanged([pad, byId("spoke")], () => {
  paint();
  pictures();
});
begin();
