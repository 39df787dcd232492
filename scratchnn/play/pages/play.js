// The page on which one builds a network and watches it learn.
import { ask, byId, bytesOf, colour, mixed, onLookChanged, rgb, sharp } from "./common.js";

const RATES = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];
const BATCHES = [1, 8, 16, 32, 64, 128, 1000];
const NAMES = { xor: "XOR" };
const TITLES = (name) => NAMES[name] || name[0].toUpperCase() + name.slice(1).replace("_", " ");

let choices, session = null, stream = null, frame = null, losses = [], units = [];

// --- settings --------------------------------------------------------------------------------------------------

function options(id, values, chosen, title = String) {
  byId(id).replaceChildren(...values.map((value) => new Option(title(value), value, false, String(value) === String(chosen))));
}

function fillForm(settings) {
  options("data", Object.keys(choices.data), settings.data, TITLES);
  options("activation", choices.activation, settings.activation);
  options("optimizer", choices.optimizer, settings.optimizer);
  options("depth", [...Array(choices.layers + 1).keys()], settings.layers.length);
  options("lr", RATES, settings.lr);
  options("batch_size", BATCHES, settings.batch_size, (n) => n === 1000 ? "all" : String(n));
  byId("noise").value = settings.noise;
  byId("samples").value = settings.samples;
  byId("seed").value = settings.seed;
  units = [...settings.layers];
  fillUnits();
}

/** An input for the units of each hidden layer. */
function fillUnits() {
  byId("units").replaceChildren(...units.map((count, k) => {
    const field = document.createElement("div"), label = document.createElement("label");
    const input = document.createElement("input");
    field.className = "field";
    label.htmlFor = input.id = `units-${k}`;
    label.textContent = `Units in layer ${k + 1}`;
    Object.assign(input, { type: "number", min: 1, max: choices.units, step: 1, value: count });
    field.append(label, input);
    return field;
  }));
  readOut();
}

function readOut() {
  byId("noise-value").textContent = Number(byId("noise").value).toFixed(2);
  byId("samples-value").textContent = byId("samples").value;
}

const value = (id) => byId(id).value;
const settings = () => ({
  data: value("data"),
  noise: Number(value("noise")),
  samples: Number(value("samples")),
  layers: units,
  activation: value("activation"),
  optimizer: value("optimizer"),
  lr: Number(value("lr")),
  batch_size: Number(value("batch_size")),
  seed: Number(value("seed")),
});

byId("settings").addEventListener("submit", (event) => event.preventDefault());
byId("settings").addEventListener("input", readOut);
byId("settings").addEventListener("change", (event) => {
  const { id } = event.target;
  if (id === "data") byId("noise").value = choices.data[value("data")];
  if (id === "depth") {
    const depth = Number(value("depth"));
    units = [...Array(depth).keys()].map((k) => units[k] ?? units[units.length - 1] ?? 8);
    fillUnits();
  }
  if (id.startsWith("units-")) {
    const count = Math.min(Math.max(Math.round(event.target.valueAsNumber) || 1, 1), choices.units);
    event.target.value = units[Number(id.slice(6))] = count;
  }
  if (id === "seed") event.target.value = Math.min(Math.max(Math.round(event.target.valueAsNumber) || 0, 0), 9999);
  readOut();
  begin();
});

// --- a session -------------------------------------------------------------------------------------------------

let opening = null, wanted = false;

/** Start again with the settings as they stand; a change made meanwhile waits for its turn. */
async function begin() {
  wanted = true;
  if (opening) return opening;
  opening = open();
  await opening;
  opening = null;
}

async function open() {
  while (wanted) {
    wanted = false;
    try {
      if (stream) stream.close();
      stream = null;
      if (session) await ask(`/api/sessions/${session.session}`, { command: "close" }).catch(() => {});
      session = await ask("/api/sessions", settings());
      problem("");
    } catch (error) {
      session = null;
      problem(error.message);
      enable();
      continue;
    }
    losses = [];
    take(session.frame);
    listen();
  }
}

function listen() {
  const own = new EventSource(`/api/sessions/${session.session}/events?losses=0`);
  stream = own;
  own.addEventListener("message", (event) => {
    if (own === stream) take(JSON.parse(event.data));
  });
  own.addEventListener("open", () => {
    if (own === stream) problem("");
  });
  own.addEventListener("end", () => gone(own));
  own.addEventListener("error", () => {
    if (own.readyState === EventSource.CLOSED) gone(own);
    else if (own === stream) problem("The connection is interrupted. Trying again.");
  });
}

/** The session behind a stream is no longer there. */
function gone(own) {
  own.close();
  if (own !== stream) return;
  stream = session = null;
  problem("The connection to this network has ended. Start again.");
  enable();
}

async function command(name) {
  if (!session || byId("train").getAttribute("aria-disabled") === "true") return;
  try {
    await ask(`/api/sessions/${session.session}`, { command: name });
  } catch (error) {
    problem(error.message);
  }
}

function problem(text) {
  byId("problem").textContent = text;
}

byId("train").addEventListener("click", () => command(frame?.status === "training" ? "pause" : "train"));
byId("step").addEventListener("click", () => command("step"));
byId("epoch").addEventListener("click", () => command("epoch"));
byId("again").addEventListener("click", () => begin());
addEventListener("pagehide", () => {
  if (stream) stream.close();
  if (!session) return;
  const close = new Blob(['{"command": "close"}'], { type: "application/json" });
  navigator.sendBeacon(`/api/sessions/${session.session}`, close);
});
addEventListener("pageshow", (event) => {
  if (event.persisted) begin();
});

byId("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(byId("code").textContent);
    byId("copied").textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(byId("code"));
    byId("copied").textContent = "Selected: copy with Ctrl+C.";
  }
});

// --- frames ----------------------------------------------------------------------------------------------------

const WORDS = { ready: "Ready.", training: "Training.", paused: "Paused.", done: "At its end.", failed: "Stopped." };
let waiting = false;

function take(next) {
  losses.length = Math.min(losses.length, next.losses_from);
  losses.push(...next.losses);
  if (!next.frontier && frame) Object.assign(next, { frontier: frame.frontier, units: frame.units });
  frame = next;
  if (!waiting) { // what comes faster than the screen shows is not drawn
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      show();
    });
  }
}

/** Buttons as the state has them. Not `disabled`: one that has just been pressed would lose the keyboard's focus. */
function enable() {
  const alive = session !== null && !["done", "failed"].includes(frame?.status);
  for (const id of ["train", "step", "epoch"]) byId(id).setAttribute("aria-disabled", String(!alive));
  byId("again").setAttribute("aria-disabled", "false");
  text("train", alive && frame?.status === "training" ? "Pause" : "Train");
}

function text(id, words) {
  if (byId(id).textContent !== words) byId(id).textContent = words;
}

function show() {
  if (!frame || !session) return;
  enable();
  const training = frame.status === "training";
  text("at-epoch", String(frame.epoch));
  text("at-loss", frame.loss === null ? "-" : frame.loss.toPrecision(3));
  text("at-accuracy", frame.accuracy === null ? "-" : `${(100 * frame.accuracy).toFixed(1)} %`);
  const stands = frame.epoch ? ` Epoch ${frame.epoch}, ${byId("at-accuracy").textContent} right.` : "";
  text("status", WORDS[frame.status] + (training ? "" : stands)); // spoken only when it changes
  if (frame.error) problem(`Training was stopped: ${frame.error}`);
  if (frame.status === "done") problem(`That was the last epoch: there are ${frame.epoch} at most.`);
  text("code", frame.code);
  if (!training) text("copied", "");
  document.body.dataset.epoch = frame.epoch;
  document.body.dataset.status = frame.status;
  draw();
}

function draw() {
  if (!frame || !session) return;
  drawFrontier();
  drawNetwork();
  drawCurve();
}

/** An image of bytes, one a place, in the colours that `look` gives. */
function picture(bytes, side, look) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(side, side);
  bytes.forEach((byte, k) => pixels.data.set([...look(byte), 255], 4 * k));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

const classColours = () => [0, 1, 2].map((k) => rgb(colour(`class-${k}`)));

function frontierPicture() {
  const paper = rgb(colour("paper")), classes = classColours(), steps = session.levels + 1;
  const looks = Array.from({ length: 256 }, (_, byte) =>
    mixed(classes[Math.floor(byte / steps) % 3], paper, 0.08 + 0.42 * (byte % steps) / session.levels));
  return picture(bytesOf(frame.frontier), session.grid, (byte) => looks[byte]);
}

function drawFrontier() {
  const { context, width } = sharp(byId("frontier"));
  context.imageSmoothingEnabled = true;
  context.drawImage(frontierPicture(), 0, 0, width, width);
  const [left, bottom, extent] = session.extent;
  session.points.forEach(([x, y], k) =>
    mark(context, session.labels[k], ((x - left) / extent) * width, width - ((y - bottom) / extent) * width, width / 110));
}

/** A point of a class: a disc, a square or a triangle, so that colour is not all that tells them apart. */
function mark(context, label, x, y, size) {
  context.beginPath();
  if (label === 0) context.arc(x, y, size, 0, 7);
  else if (label === 1) context.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8);
  else {
    context.moveTo(x, y - size * 1.25);
    context.lineTo(x + size * 1.15, y + size * 0.8);
    context.lineTo(x - size * 1.15, y + size * 0.8);
    context.closePath();
  }
  context.fillStyle = colour(`class-${label}`);
  context.strokeStyle = colour("paper");
  context.lineWidth = 1.5;
  context.stroke();
  context.fill();
}

/** Where the node of each unit stands, layer by layer. */
function layout(width, height) {
  const columns = session.layers.length, most = Math.max(...session.layers);
  const size = Math.min(44, (height - 28) / most - 5, width / columns - 12);
  const step = (k, count, room, first) => count === 1 ? first + room / 2 : first + (room * k) / (count - 1);
  return session.layers.map((count, column) => Array.from({ length: count }, (_, k) => {
    const pitch = Math.min(size + 16, count > 1 ? (height - 28 - size) / (count - 1) : 0);
    const top = 22 + (height - 28 - pitch * (count - 1)) / 2;
    return { x: step(column, columns, width - size - 4, size / 2 + 2), y: top + pitch * k, size };
  }));
}

function drawNetwork() {
  const { context, width, height } = sharp(byId("network"));
  const nodes = layout(width, height), below = rgb(colour("class-0")), above = rgb(colour("class-1"));
  const paper = rgb(colour("paper"));
  const largest = frame.weights.map((layer) => Math.max(...layer.flat().map(Math.abs), 1e-9));
  frame.weights.forEach((layer, column) => layer.forEach((row, from) => row.forEach((weight, to) => {
    const a = nodes[column][from], b = nodes[column + 1][to];
    const strength = Math.abs(weight) / largest[column];
    context.beginPath();
    context.moveTo(a.x + a.size / 2, a.y);
    context.bezierCurveTo((a.x + b.x) / 2, a.y, (a.x + b.x) / 2, b.y, b.x - b.size / 2, b.y);
    context.lineWidth = 0.4 + 3.6 * strength;
    context.setLineDash(weight < 0 ? [5, 4] : []);
    context.strokeStyle = colour(weight < 0 ? "class-0" : "class-1");
    context.globalAlpha = 0.2 + 0.7 * strength;
    context.stroke();
  })));
  context.globalAlpha = 1;
  context.setLineDash([]);
  const looks = Array.from({ length: 256 }, (_, byte) => {
    const level = (byte - 128) / 127;
    return mixed(level < 0 ? below : above, paper, Math.min(1, Math.abs(level)) ** 0.7 * 0.85);
  });
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "center";
  nodes.forEach((column, layer) => {
    const title = layer === 0 ? "in" : layer === nodes.length - 1 ? "out" : `layer ${layer}`;
    context.fillStyle = colour("muted");
    context.fillText(title, column[0].x, 12);
    column.forEach((node, k) => drawNode(context, node, layer, k, looks));
  });
  byId("network").setAttribute("aria-label", `The network: 2 inputs, ${session.layers.slice(1, -1).map((count, k) =>
    `${count} units in hidden layer ${k + 1}, `).join("")}${session.classes} outputs`);
}

function drawNode(context, node, layer, k, looks) {
  const { x, y, size } = node, left = x - size / 2, top = y - size / 2;
  context.fillStyle = colour("paper");
  context.fillRect(left, top, size, size);
  const hidden = layer > 0 && layer < session.layers.length - 1;
  if (hidden && frame.units[layer - 1]) {
    context.drawImage(picture(bytesOf(frame.units[layer - 1][k]), session.unit_grid, (byte) => looks[byte]), left, top, size, size);
  } else if (layer === 0) {
    context.fillStyle = colour("ink");
    context.textBaseline = "middle";
    context.fillText(k === 0 ? "x" : "y", x, y);
    context.textBaseline = "alphabetic";
  } else {
    mark(context, k, x, y, size / 5);
  }
  context.lineWidth = 1;
  context.strokeStyle = colour("edge");
  context.strokeRect(left, top, size, size);
}

function drawCurve() {
  const { context, width, height } = sharp(byId("curve"));
  const left = 40, bottom = height - 20, right = width - 8, top = 8;
  const most = Math.max(...losses, 1e-9), epochs = Math.max(losses.length, 2);
  const ceiling = roundUp(most);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = colour("muted");
  context.strokeStyle = colour("faint");
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const share of losses.length ? [0, 0.5, 1] : [0]) {
    const y = bottom - (bottom - top) * share;
    context.beginPath();
    context.moveTo(left, y);
    context.lineTo(right, y);
    context.stroke();
    context.fillText(String(Number((ceiling * share).toPrecision(2))), left - 6, y);
  }
  context.textBaseline = "alphabetic";
  if (!losses.length) return;
  context.fillText(`epoch ${losses.length}`, right, height - 4);
  context.textAlign = "left";
  context.fillText("1", left, height - 4);
  context.beginPath();
  const step = Math.max(1, Math.floor(losses.length / (2 * (right - left))));
  for (let k = 0; k < losses.length; k += step) {
    context.lineTo(left + ((right - left) * k) / (epochs - 1), bottom - (bottom - top) * Math.min(losses[k] / ceiling, 1));
  }
  context.strokeStyle = colour("accent");
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.stroke();
  byId("curve").setAttribute("aria-label",
    `Loss by epoch: ${losses[0].toPrecision(3)} after the first, ${losses[losses.length - 1].toPrecision(3)} after epoch ${losses.length}`);
}

/** The next number above of 1, 2 and 5 times a power of ten. */
function roundUp(number) {
  const power = 10 ** Math.floor(Math.log10(number));
  return power * [1, 2, 5, 10].find((digit) => digit * power >= number * 0.999);
}

onLookChanged([byId("network"), byId("frontier"), byId("curve")], draw);
try {
  choices = await ask("/api/choices");
  fillForm(choices.defaults);
  await begin();
} catch (error) {
  problem(error.message);
}
