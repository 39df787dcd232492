// Curves over epochs, in the colours of the theme: a grid, and lines that grow while a network learns.
import { colour, sharp } from "./common.js";

const LEFT = 46, RIGHT = 10, TOP = 8, BOTTOM = 22; // pixels around the plot

/** Draws lines of [epoch, value], epochs from 0 on and values from `low` to `top`; each is {points, colour, dots}. */
export function draw(canvas, epochs, low, top, lines, label) {
  const { context, width, height } = sharp(canvas);
  const x = (epoch) => LEFT + (epoch / epochs) * (width - LEFT - RIGHT);
  const share = (value) => (Math.min(Math.max(value, low), top) - low) / (top - low);
  const y = (value) => height - BOTTOM - share(value) * (height - TOP - BOTTOM);
  context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  context.lineWidth = 1;
  context.strokeStyle = colour("faint");
  context.fillStyle = colour("muted");
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of [low, (low + top) / 2, top]) {
    line(context, [[LEFT, y(value)], [width - RIGHT, y(value)]]);
    context.fillText(label(value), LEFT - 6, y(value));
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  const step = Math.max(Math.ceil(epochs / 10), 1);
  for (let epoch = step; epoch <= epochs; epoch += step) context.fillText(epoch, x(epoch), height - BOTTOM + 6);
  for (const each of lines) {
    context.lineWidth = 2;
    context.strokeStyle = context.fillStyle = colour(each.colour);
    const points = each.points.map(([epoch, value]) => [x(epoch), y(value)]);
    line(context, points);
    for (const [left, above] of each.dots ? points : []) {
      context.beginPath();
      context.arc(left, above, 3.5, 0, 7);
      context.fill();
    }
  }
}

function line(context, points) {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}
