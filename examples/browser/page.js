// The page: shows how the worker's network learns, hands it what is drawn, and shows what it answers.
import { byId, onLookChanged } from "./common.js";
import { makeBars, Pad, percent, showBars, SIDE, squares } from "./drawing.js";
import { draw } from "./chart.js";

const IMAGE = 8; // pixels a side of what the network sees
const PAUSE = 200; // milliseconds between two answers for one drawing, while the network learns

const buttons = { stop: byId("stop"), again: byId("again"), save: byId("save") };
const pad = new Pad(byId("pad"), byId("undo"), byId("clear"), byId("example"), changed);
let worker = null;
let epochs = 10;
let curves = null; // of this run: lists of [epoch, value]

// --- the run ---------------------------------------------------------------------------------------------------

/** "loading", "training", "stopped", "trained" or "failed": tests and styles see it too. */
function enter(state, text) {
  document.body.dataset.state = state;
  byId("state").textContent = text;
  const there = curves !== null;
  buttons.stop.textContent = state === "stopped" ? "Go on" : "Stop";
  able(buttons.stop, state === "training" || state === "stopped");
  able(buttons.again, there);
  able(buttons.save, there);
}

const able = (button, is) => button.setAttribute("aria-disabled", String(!is));
const isAble = (button) => button.getAttribute("aria-disabled") === "false";

function start() {
  epochs = Math.min(Math.max(Math.round(Number(byId("epochs").value)) || 10, 1), 100);
  byId("epochs").value = epochs; // a browser may remember what was typed half
  byId("problem").textContent = "";
  byId("progress").hidden = false;
  curves = { losses: [], learned: [], others: [] };
  byId("digest").textContent = "";
  byId("test").textContent = "-";
  enter("training", "Learning");
  worker.postMessage({ kind: "train", network: byId("kind").value, epochs });
  charts();
  changed(false);
}

byId("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  if (isAble(buttons.again)) start();
});
buttons.stop.addEventListener("click", () => {
  if (!isAble(buttons.stop)) return;
  const stops = document.body.dataset.state === "training";
  worker.postMessage({ kind: stops ? "stop" : "go" });
  if (stops) enter("stopped", "Stopped");
  else enter("training", "Learning");
});
buttons.save.addEventListener("click", () => {
  if (isAble(buttons.save)) worker.postMessage({ kind: "save" });
});

function standing(now) {
  byId("epoch").textContent = `${now.epoch} of ${now.epochs}`;
  byId("loss").textContent = now.loss.toFixed(4);
  byId("accuracy").textContent = percent(now.accuracy);
  byId("speed").textContent = Math.round(now.speed).toLocaleString("en");
  byId("progress").value = now.at / now.epochs;
  if (now.lately !== null) curves.losses.push([now.at, now.lately]);
  if (now.test !== null) {
    curves.learned.push([now.epoch, now.accuracy]);
    curves.others.push([now.epoch, now.test]);
    byId("test").textContent = percent(now.test);
    // One sentence an epoch is enough to be read aloud.
    if (document.body.dataset.state === "training") byId("state").textContent = `Learning: ${now.epoch} of ${now.epochs} epochs`;
  }
  charts();
  if (now.done) {
    time("trained");
    enter("trained", "Learned");
    byId("digest").textContent = `${now.parameters.toLocaleString("en")} weights, SHA-256 ${now.digest}: `
      + "the same as after this run in any Python.";
  }
  if (pad.strokes.length) later(now.done);
}

function charts() {
  if (curves === null) return;
  const { losses, learned, others } = curves;
  const top = Math.max(0.5, ...losses.slice(0, 1).map(([, value]) => Math.ceil(value * 2) / 2));
  draw(byId("losses"), epochs, 0, top, [{ points: losses, colour: "class-0" }], (value) => value.toFixed(2));
  draw(byId("accuracies"), epochs, 0.5, 1, [
    { points: learned, colour: "class-0", dots: false }, { points: others, colour: "class-1", dots: true },
  ], (value) => `${Math.round(100 * value)} %`);
  if (!learned.length) return;
  byId("losses").setAttribute("aria-label", `Loss: ${byId("loss").textContent} in epoch ${learned.length} of ${epochs}`);
  byId("accuracies").setAttribute("aria-label", `Digits that are read rightly after ${learned.length} epochs: `
    + `${percent(learned.at(-1)[1])} of the learned ones, ${percent(others.at(-1)[1])} of the new ones`);
}

// --- drawings --------------------------------------------------------------------------------------------------

let asked = 0, again = false, aloud = false, waiting = false, timer = 0;

/** The drawing has changed; `done`: and is whole for now, so that the answer is to be said aloud. */
function changed(done) {
  aloud = aloud || done;
  again = true;
  ask();
}

/** The network has changed: ask again, but not all the time; and aloud when it is `done`. */
function later(done) {
  aloud = aloud || done;
  if (timer) return;
  timer = setTimeout(() => {
    timer = 0;
    changed(false);
  }, done ? 0 : PAUSE);
}

function ask() {
  if (waiting || !again || curves === null) return;
  [again, waiting] = [false, true];
  document.body.dataset.answered = "no";
  worker.postMessage({ kind: "draw", number: ++asked, ink: pad.bitmap(), width: SIDE });
}

function answered({ image, probabilities }) {
  waiting = false;
  const winner = probabilities === null ? null : probabilities.indexOf(Math.max(...probabilities));
  showBars(byId("bars"), probabilities, winner);
  squares(byId("seen"), IMAGE, (k) => 255 - image[k]);
  const name = winner === null ? ": nothing yet" : "";
  byId("seen").setAttribute("aria-label", `The drawing as the network sees it, 8 times 8 pixels${name}`);
  const text = winner === null ? "Nothing drawn yet." : `It looks like ${winner}: ${percent(probabilities[winner])}.`;
  byId("result").textContent = text;
  if (aloud && !again) {
    byId("said").textContent = text; // to those who hear the page, and not for every percent
    aloud = false;
  }
  if (!again) document.body.dataset.answered = "yes";
  ask();
}

// --- the worker ------------------------------------------------------------------------------------------------

const times = {};

/** Remember and show when something was reached, in seconds since the page was opened. */
function time(name) {
  if (name in times) return;
  times[name] = performance.now() / 1000;
  document.body.dataset[name] = times[name].toFixed(3);
  const words = { python: "Python was loaded", training: "the network began to learn", trained: "it had learned" };
  byId("times").textContent = "Since this page was opened: "
    + Object.entries(times).map(([key, seconds]) => `${words[key]} after ${seconds.toFixed(1)} s`).join(", ") + ".";
}

function failed(text) {
  if (document.body.dataset.state === "failed") return; // what came first says most
  byId("problem").textContent = text;
  byId("progress").hidden = true;
  enter("failed", "It did not work");
}

const heard = {
  python() {
    time("python");
    makeBars(byId("bars"), [...Array(10).keys()].map(String));
    start();
  },
  standing(message) {
    time("training");
    standing(message);
  },
  answer: answered,
  saved({ bytes }) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    link.download = "digits.pkl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  },
  failed({ text }) {
    failed(text);
  },
};

function begin() {
  byId("problem").textContent = "";
  squares(byId("seen"), IMAGE, () => 255);
  if (typeof WebAssembly !== "object" || typeof Worker !== "function") {
    failed("This browser has no WebAssembly or no workers, or they are switched off: Python cannot run in it.");
    return;
  }
  worker = new Worker("worker.js", { type: "module" });
  worker.addEventListener("message", ({ data }) => heard[data.kind](data));
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    failed(`The page's worker cannot be run${event.message ? `: ${event.message}` : ""}. Is worker.js there?`);
  });
}

onLookChanged([pad.canvas, byId("losses"), byId("accuracies")], () => {
  pad.paint();
  charts();
});
begin();
