// What both pages share: questions to the server, colours of the theme, canvases as sharp as the screen.

// The token has become a cookie: it need not stand in the address, where others could read it.
if (location.search.includes("token=")) {
  history.replaceState(null, "", location.pathname === "/" ? "/draw" : location.pathname);
}

export const byId = (id) => document.getElementById(id);

/** The answer to a question, as an object; an Error with the server's reason. A body makes it a POST. */
export async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer: it was probably ended. Start it again, and open the new address.");
  }
  const answer = await response.json();
  if (!response.ok) {
    const error = new Error(answer.error);
    error.status = response.status;
    throw error;
  }
  return answer;
}

/** The value of a colour of the theme, such as "ink". */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** "#rrggbb" as [red, green, blue]. */
export const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));

/** A share of one colour, the rest of another. */
export const mixed = (a, b, share) => a.map((value, k) => Math.round(value * share + b[k] * (1 - share)));

/** Bytes that came as base64. */
export const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** Makes a canvas as fine as the screen; gives its context in CSS pixels, its width and its height. */
export function sharp(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const wide = Math.round(width * ratio), high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Calls this whenever what is drawn has to be drawn anew: another size, another theme. */
export function onLookChanged(canvases, redraw) {
  const observer = new ResizeObserver(() => redraw());
  canvases.forEach((canvas) => observer.observe(canvas));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());
}
