// Boxes over a photograph.

import { make } from "./make.js";

// A box that covers this share of the frame says nothing about where.
const WHOLE_FRAME = 0.98;

// Boxes are normalised: ymin, xmin, ymax, xmax.
export function area([ymin, xmin, ymax, xmax]) {
  return (ymax - ymin) * (xmax - xmin);
}

export function isWholeFrame(box) {
  return area(box) >= WHOLE_FRAME;
}

const percent = (value) => `${(100 * Math.min(1, Math.max(0, value))).toFixed(2)}%`;

export function makeBox(box, color, label = "") {
  const [ymin, xmin, ymax, xmax] = box;
  const element = make("span", "box");
  element.style.left = percent(xmin);
  element.style.top = percent(ymin);
  element.style.width = percent(xmax - xmin);
  element.style.height = percent(ymax - ymin);
  element.style.setProperty("--color", color);
  if (label) element.append(make("span", "number", label));
  element.setAttribute("aria-hidden", "true");
  return element;
}

// What a box says to who does not see it.
export function place(box) {
  if (isWholeFrame(box)) return "the whole photograph";
  const [ymin, xmin, ymax, xmax] = box.map((value) => Math.round(100 * value));
  return `from the left ${xmin} to ${xmax} %, from the top ${ymin} to ${ymax} %`;
}
