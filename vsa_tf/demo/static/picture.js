// The photograph, with the boxes of one answer at a time.

import { area, makeBox } from "./box.js";
import { make } from "./make.js";

export class Picture {
  constructor(figure) {
    this.figure = figure;
    this.frame = figure.querySelector(".frame");
    this.caption = figure.querySelector(".about");
    this.owner = figure.querySelector(".owner");
    this.parts = null;
    this.boxes = [];
    this.frame.addEventListener("pointerover", (event) => this.pointed(event.target));
    this.frame.addEventListener("pointerleave", () => this.pointed(null));
  }

  showPhotograph(photograph) {
    const image = make("img");
    image.alt = `Your photograph ${photograph.name}`;
    image.width = photograph.width;
    image.height = photograph.height;
    image.src = photograph.url;
    // Boxes are to lie on the picture alone, so it is the frame that is fitted to the screen.
    this.frame.style.setProperty("--ratio", photograph.width / photograph.height);
    this.frame.replaceChildren(image);
    this.caption.textContent = photograph.note;
    this.parts = null;
    this.boxes = [];
    this.owner.textContent = "";
    this.figure.hidden = false;
  }

  // Shows the boxes of `parts`, a `Parts`, which is told what is pointed at.
  show(parts) {
    if (this.parts === parts) return;
    if (this.parts) this.hide(this.parts);
    this.parts = parts;
    this.boxes = parts.boxes.map(({ box, color, label }) => makeBox(box, color, label));
    parts.setShown(true);
    this.owner.textContent = this.boxes.length ? `Boxes of: ${parts.title}` : "";
    // Small boxes above large ones: each can be pointed at.
    parts.boxes.map(({ box }, index) => [area(box), index]).sort((a, b) => b[0] - a[0])
      .forEach(([, index]) => this.frame.append(this.boxes[index]));
  }

  hide(parts) {
    if (this.parts !== parts) return;
    for (const box of this.boxes) box.remove();
    parts.markElements(-1, -1);
    parts.setShown(false);
    this.owner.textContent = "";
    this.parts = null;
    this.boxes = [];
  }

  // Brings out a box of what is shown; -1: none.
  highlight(active) {
    this.frame.classList.toggle("pointed", active >= 0);
    this.boxes.forEach((box, index) => box.classList.toggle("active", index === active));
  }

  pointed(target) {
    const box = target && target.closest(".box");
    if (this.parts) this.parts.pointAtBox(this.boxes.indexOf(box));
  }
}
