// Python lives here, beside the page and not in it: while it computes the page goes on.
//
// The page says {kind: "train", network, epochs}, "stop", "go", {kind: "draw", number, ink, width} and "save"; it is told
// {kind: "python"} when all is loaded, "standing" (see learner.py), "answer", "saved", and "failed" with a text.

const HERE = ["scratchnn.whl", "learner.py"];
const PYODIDE = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"];
const SECONDS = 0.04; // at a time

let python = null;
let module = null; // learner.py
let learner = null; // of the run at hand
let run = 0; // counts what was started and stopped: a loop ends when it is no longer the last

async function fetched(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response.arrayBuffer();
}

async function load() {
  const own = HERE.map(fetched);
  for (const each of own) each.catch(() => {}); // said below, after what is missing was looked for
  const { loadPyodide } = await import("./pyodide/pyodide.mjs");
  python = await loadPyodide();
  const [wheel, program] = await Promise.all(own);
  python.unpackArchive(wheel, "wheel");
  python.FS.writeFile("learner.py", new Uint8Array(program));
  module = python.pyimport("learner");
}

/** The names of files that the server does not have. */
async function missing() {
  const names = [...HERE, ...PYODIDE.map((each) => `pyodide/${each}`)];
  const there = await Promise.all(names.map(async (name) => {
    try {
      return (await fetch(name, { method: "HEAD" })).ok;
    } catch {
      return false;
    }
  }));
  return names.filter((_, k) => !there[k]);
}

/** What to say where Python could not be loaded. */
async function whyNot(error) {
  const names = await missing();
  return names.length
    ? `The server has no ${names.join(", no ")}: put the folder together again with “python examples/browser/build.py”.`
    : `Python could not be started: ${reason(error)}`;
}

/** The last line: of an error in Python that says what it is. */
function reason(error) {
  return String(error?.message ?? error).trim().split("\n").pop().slice(0, 300);
}

/** The next turn, after messages that wait. */
const turn = () => new Promise((resolve) => { setTimeout(resolve); });

async function train(mine) {
  while (run === mine) {
    const standing = JSON.parse(learner.step(SECONDS));
    postMessage({ kind: "standing", ...standing });
    if (standing.done) return;
    await turn();
  }
}

const doing = {
  train({ network, epochs }) {
    learner?.destroy();
    learner = module.Learner(network, epochs);
    doing.go();
  },
  stop() {
    run++;
  },
  go() {
    train(++run).catch(failed);
  },
  draw({ number, ink, width }) {
    postMessage({ kind: "answer", number, ...JSON.parse(learner.answer(python.toPy(ink), width)) });
  },
  save() {
    const saved = learner.saved();
    postMessage({ kind: "saved", bytes: saved.toJs() });
    saved.destroy();
  },
};

function failed(error) {
  run++;
  postMessage({ kind: "failed", text: reason(error) });
}

onmessage = ({ data }) => {
  try {
    doing[data.kind](data);
  } catch (error) {
    failed(error);
  }
};

// Pyodide waits for ever for a part that is not there, or fails where nobody waits for it.
const lost = async (error) => postMessage({ kind: "failed", text: await whyNot(error) });
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  lost(event.reason);
});
missing().then((names) => { if (names.length) lost(); });

try {
  await load();
  postMessage({ kind: "python" });
} catch (error) {
  await lost(error);
}
