// The page on which one draws, and sees what a network makes of it.
import { ask, byId, colour, mixed, onLookChanged, rgb, sharp } from "./common.js";
import { makeBars, Pad, percent, showBars, SIDE, squares } from "./drawing.js";

const result = byId("result");
const pad = new Pad(byId("pad"), byId("undo"), byId("clear"), byId("example"), changed);
let model = null;
let answer = null;

// --- asking ----------------------------------------------------------------------------------------------------

let asking = false, again = false, tell = false;

/** The drawing has changed; `done`: and is whole for now, so that the answer is to be said aloud. */
function changed(done) {
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
      answer = await ask("/api/draw", { width: SIDE, ink: base64(pad.bitmap()) });
      byId("problem").textContent = "";
      show(aloud);
    } catch (error) {
      byId("problem").textContent = error.message;
    }
  }
  asking = false;
  document.body.dataset.answered = "yes";
}

const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

function show(aloud) {
  const { winner, probabilities } = answer;
  showBars(byId("bars"), probabilities, winner);
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
  squares(seen, model.side, (k) => answer === null ? 255 : 255 - answer.image[k]);
  seen.setAttribute("aria-label", `The drawing as the network sees it, ${model.side} times ${model.side} pixels`
    + (name === null ? ": nothing yet" : ""));
  opinions(spoke);
  spoke.setAttribute("aria-label", name === null ? "Which pixels spoke for and against: nothing yet"
    : `Which pixels spoke for ${name} and which against it`);
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
    makeBars(byId("bars"), model.classes);
    pictures();
    document.body.dataset.ready = "yes";
    if (pad.strokes.length) changed(true);
  }
}

onLookChanged([pad.canvas, byId("spoke")], () => {
  pad.paint();
  pictures();
});
begin();
