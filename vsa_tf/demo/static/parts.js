// Parts of an answer, each with the colour and label of its box; pointing at one shows the other.
// While the photograph shows the boxes of another answer, its parts have neither.

import { isWholeFrame, place } from "./box.js";
import { make } from "./make.js";

export class Parts {
  // `parts` are `{ text, box, score }`; equal boxes share a colour. `title` says above the boxes
  // whose they are, `label(index)` is what they bear; each answer has labels of its own kind.
  // `first`: of the part that is pointed at until another is, or -1.
  constructor(parts, { title, label }, colors, picture, first = -1) {
    this.picture = picture;
    this.title = title;
    this.label = label;
    this.boxes = [];
    this.first = first;
    this.isRemoved = false;
    this.elements = parts.map((part) => this.makePart(part, colors));
    this.point(first);
  }

  makePart({ text, box, score }, colors) {
    const index = this.numberOf(box, colors);
    const element = make("button", index < 0 ? "part plain" : "part");
    element.type = "button";
    element.dir = "auto";
    element.title = `score ${score.toFixed(2)}; ${place(box)}`;
    if (index >= 0) {
      element.style.setProperty("--color", this.boxes[index].color);
      element.append(make("span", "number", this.boxes[index].label));
    }
    element.append(text);
    const point = () => this.point(this.elements.indexOf(element));
    const leave = () => {
      if (this.picture.parts === this) this.point(this.first);
    };
    for (const type of ["pointerenter", "focus", "click"]) element.addEventListener(type, point);
    for (const type of ["pointerleave", "blur"]) element.addEventListener(type, leave);
    element.boxIndex = index;
    return element;
  }

  numberOf(box, colors) {
    if (isWholeFrame(box)) return -1;
    const found = this.boxes.findIndex((other) => String(other.box) === String(box));
    if (found >= 0) return found;
    const index = this.boxes.length;
    this.boxes.push({ box, color: colors[index % colors.length], label: this.label(index) });
    return index;
  }

  remove() {
    this.isRemoved = true;
    for (const element of this.elements) element.remove();
    this.picture.hide(this);
  }

  point(active) {
    if (this.isRemoved) return;  // an element that is taken away loses the focus first
    const focused = this.elements.indexOf(document.activeElement);
    const index = active === this.first && focused >= 0 ? focused : active;
    this.picture.show(this);
    this.mark(index < 0 ? -1 : this.elements[index].boxIndex, index);
  }

  pointAtBox(box) {
    if (box < 0) this.point(this.first);
    else this.mark(box, -1);
  }

  // Whether the boxes on the photograph are those of these parts.
  setShown(isShown) {
    for (const element of this.elements) element.classList.toggle("away", !isShown);
  }

  mark(box, part) {
    this.picture.highlight(box);
    this.markElements(box, part);
  }

  markElements(box, part) {
    this.elements.forEach((element, index) => {
      const isActive = index === part || (part < 0 && box >= 0 && element.boxIndex === box);
      element.classList.toggle("active", isActive);
    });
  }
}
