"use strict";
(() => {
  // Text is only ever set as text: captions may hold HTML.
  function make(name, classes, text) {
    const element = document.createElement(name);
    if (classes) element.className = classes;
    if (text) element.textContent = text;
    return element;
  }

  function percent(value) { return (100 * value).toFixed(2) + "%"; }

  function makeBox(box) {
    const element = make("span", box.color ? "box" : "box truth");
    const [ymin, xmin, ymax, xmax] = box.box;
    element.style.left = percent(xmin);
    element.style.top = percent(ymin);
    element.style.width = percent(xmax - xmin);
    element.style.height = percent(ymax - ymin);
    if (box.color) element.style.setProperty("--color", box.color);
    return element;
  }

  function makeFrame(card) {
    const frame = make("div", "frame"), photograph = card.photograph;
    frame.style.aspectRatio = photograph.width + " / " + photograph.height;
    if (photograph.file) {
      const image = make("img");
      image.loading = "lazy";
      image.decoding = "async";
      image.width = photograph.width;
      image.height = photograph.height;
      image.alt = "Photograph " + card.title;
      image.src = photograph.file;
      frame.append(image);
    }
    return frame;
  }

  function judged(classes, right) {
    return right === null ? classes : classes + (right ? " right" : " wrong");
  }

  function makePart(part, boxes) {
    if (part.below) {
      const ruby = make("ruby", "", part.text);
      ruby.append(make("rt", "", part.below));
      return ruby;
    }
    if (!part.boxes.length) return make("span", boxes.length ? "plain" : "", part.text);
    const button = make("button", "part", part.text);
    button.type = "button";
    button.tabIndex = -1;
    const colored = part.boxes.map((index) => boxes[index]).find((box) => box.color);
    button.style.setProperty("--color", colored ? colored.color : "#000");
    return button;
  }

  class CardView {
    constructor(card) {
      this.card = card;
      this.element = make("article", judged("card", card.right));
      const figure = make("figure"), frame = makeFrame(card);
      this.boxes = card.boxes.map(makeBox);
      const area = (box) => (box.box[2] - box.box[0]) * (box.box[3] - box.box[1]);
      // Small boxes above large ones: each can be pointed at.
      card.boxes.map((box, index) => [area(box), index]).sort((a, b) => b[0] - a[0])
        .forEach(([, index]) => frame.append(this.boxes[index]));
      const caption = [card.title, card.note].filter(Boolean).join(" · ");
      figure.append(frame, make("figcaption", "", caption));
      this.element.append(figure);
      this.lines = card.lines.map((line) => this.makeLine(line));
      if (this.lines.length) {
        const lines = make("div", "lines");
        lines.append(...this.lines.map((line) => line.element));
        if (card.lines.some((line) => line.parts.some((part) => part.boxes.length))) {
          this.status = make("p", "status note");
          lines.append(this.status);
        }
        this.element.append(lines);
      }
      this.buttons = [...this.element.querySelectorAll(".part")];
      // One stop of Tab for each card; arrow keys go on from there.
      if (this.buttons.length) this.buttons[0].tabIndex = 0;
      this.first = this.lines.findIndex((line) => line.parts.some((part) => part.boxes.length));
      this.follow();
      this.show(this.first, []);
    }

    makeLine(line) {
      const element = make("p", judged("line", line.right)), parts = [];
      element.dir = "auto";
      if (line.label) {
        element.classList.add("labelled");
        element.append(make("span", "label", line.label));
      }
      for (const part of line.parts) {
        const own = makePart(part, this.card.boxes);
        parts.push({ element: own, boxes: part.boxes, note: part.note, text: part.text });
        element.append(own, " ");
      }
      if (line.note) element.append(make("span", "remark", line.note));
      return { element, parts };
    }

    // Shows the boxes of one line, and points at those of some of its parts.
    show(place, pointed) {
      this.place = place;
      const ofLine = place < 0 ? this.boxes.map((_, index) => index)
        : this.lines[place].parts.flatMap((part) => part.boxes);
      const active = new Set(pointed.flatMap((part) => part.boxes));
      this.boxes.forEach((box, index) => {
        box.hidden = !ofLine.includes(index);
        box.classList.toggle("active", active.has(index));
      });
      this.element.classList.toggle("pointed", active.size > 0);
      this.lines.forEach((line, index) => {
        line.element.classList.toggle("shown", index === place);
        for (const part of line.parts) {
          part.element.classList.toggle("active", pointed.includes(part));
        }
      });
      if (this.status) {
        this.status.textContent =
          pointed.map((part) => part.text + (part.note ? ": " + part.note : "")).join("; ");
      }
    }

    pointAt(target) {
      const box = this.boxes.indexOf(target);
      if (box >= 0 && this.place >= 0) {
        const parts = this.lines[this.place].parts.filter((part) => part.boxes.includes(box));
        return this.show(this.place, parts);
      }
      const place = this.lines.findIndex((line) => line.element.contains(target));
      if (place < 0 || !this.lines[place].parts.some((part) => part.boxes.length)) return;
      const parts = this.lines[place].parts.filter((part) => part.element === target);
      this.show(place, parts.filter((part) => part.boxes.length));
    }

    follow() {
      this.element.addEventListener("pointerover", (event) => this.pointAt(event.target));
      this.element.addEventListener("pointerleave", () => {
        if (this.buttons.includes(document.activeElement)) this.pointAt(document.activeElement);
        else this.show(this.first, []);
      });
      this.element.addEventListener("focusin", (event) => this.pointAt(event.target));
      this.element.addEventListener("focusout", () => this.show(this.first, []));
      this.element.addEventListener("keydown", (event) => this.move(event));
    }

    move(event) {
      const here = this.buttons.indexOf(event.target);
      const lineOf = (button) => this.lines.findIndex((line) => line.element.contains(button));
      if (here < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
      const own = lineOf(event.target);
      let next = null;
      if (event.key === "ArrowRight") next = this.buttons[here + 1];
      else if (event.key === "ArrowLeft") next = this.buttons[here - 1];
      else if (event.key === "ArrowDown") next = this.buttons.find((b) => lineOf(b) > own);
      else if (event.key === "ArrowUp") {
        const above = this.buttons.filter((b) => lineOf(b) < own).map(lineOf).pop();
        next = this.buttons.find((b) => lineOf(b) === above);
      } else return;
      event.preventDefault();
      if (!next) return;
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
  }

  const report = document.getElementById("report");
  for (const group of window.reportPage.groups) {
    const section = make("section");
    if (group.title) section.append(make("h" + group.level, "", group.title));
    if (group.note) section.append(make("p", "note", group.note));
    const cards = make("div", group.small ? "cards small" : "cards");
    cards.append(...group.cards.map((card) => new CardView(card).element));
    if (group.cards.length) section.append(cards);
    report.append(section);
  }
})();
