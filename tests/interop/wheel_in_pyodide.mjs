// Runs a Python program under Pyodide as often as it is told to, with scratchnn from its wheel and a folder of this machine:
//     node wheel_in_pyodide.mjs PYODIDE WHEEL FOLDER PROGRAM
// PYODIDE is the npm package's folder; FOLDER is /shared in there. Each line that comes in is a list of arguments in JSON;
// each that goes out is {"printed": ...} or {"error": the traceback}, the first one when all is loaded.
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [pyodide, wheel, folder, program] = process.argv.slice(2);
globalThis.fetch = () => { throw new Error("nothing is to be fetched"); };

const say = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);
// Node would print all of Pyodide's one long line with an error that nobody catches.
const reason = (error) => String(error.message ?? error).slice(-5000);

try {
  const begun = performance.now();
  const { loadPyodide } = await import(pathToFileURL(`${pyodide}/pyodide.mjs`));
  const printed = [];
  const python = await loadPyodide({ stdout: (line) => printed.push(line), stderr: (line) => printed.push(line) });
  python.unpackArchive(new Uint8Array(readFileSync(wheel)), "wheel");
  python.FS.mkdir("/shared");
  python.FS.mount(python.FS.filesystems.NODEFS, { root: folder }, "/shared");
  const text = readFileSync(program, "utf8");
  python.runPython(`
def program(text, *arguments):
    import sys
    if arguments[0] == "speed":  # of the first import, too
        for name in [name for name in sys.modules if name.partition(".")[0] == "scratchnn"]:
            del sys.modules[name]
    sys.argv = ["program", *arguments]
    exec(compile(text, "program", "exec"), {"__name__": "__main__"})
`);
  say({ printed: String((performance.now() - begun) / 1000) });
  for await (const line of createInterface({ input: process.stdin })) {
    printed.length = 0;
    try {
      python.globals.get("program")(text, ...JSON.parse(line));
      say({ printed: printed.join("\n") });
    } catch (error) {
      say({ error: reason(error) });
    }
  }
} catch (error) {
  say({ error: reason(error) });
  process.exitCode = 1;
}
