// A section with a form that asks the server, and says how it went.

import { PhotographError } from "./photograph.js";
import { ServerError } from "./server.js";

const TOUCH = matchMedia("(pointer: coarse)");

export class Tool {
  // `run(tool, signal)` asks and shows; what it returns is told. It is given up when asked anew.
  constructor(section, run) {
    this.section = section;
    this.run = run;
    this.status = section.querySelector(".status");
    this.result = section.querySelector(".result");
    this.field = section.querySelector("input[type=text]");
    this.select = section.querySelector("select");
    this.running = null;
    this.parts = null;  // `Parts` of the answer
    const form = section.querySelector("form");
    if (form) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.start();
      });
    }
  }

  get model() { return this.select.value; }

  get text() { return this.field.value.trim(); }

  offer(models) {
    this.section.hidden = models.length === 0;
    this.select.replaceChildren(...models.map(({ name }) => new Option(name, name)));
    this.select.parentElement.hidden = models.length < 2;
  }

  clear() {
    if (this.running) this.running.abort();
    this.tell("");
    if (this.parts) this.parts.remove();
    this.parts = null;
    if (this.result) this.result.replaceChildren();
  }

  tell(message, isError = false) {
    this.status.textContent = message;
    this.status.classList.toggle("error", isError);
  }

  async start(...inputs) {
    this.clear();
    const running = new AbortController();
    this.running = running;
    if (this.field && !this.text && !inputs.length) return this.tell("Type some words first.", true);
    this.section.setAttribute("aria-busy", "true");
    this.tell("Working …");
    try {
      const message = await this.run(this, running.signal, ...inputs);
      if (running.signal.aborted) return;
      this.tell(message);
      this.reveal();
    } catch (error) {
      if (running.signal.aborted) return;
      const isExpected = error instanceof ServerError || error instanceof PhotographError;
      this.tell(isExpected ? error.message : `This page has failed: ${error}`, true);
    } finally {
      if (this.running === running) this.section.removeAttribute("aria-busy");
    }
  }

  // Brings an answer into view that lies below the screen, unless the user is typing elsewhere.
  reveal() {
    const active = document.activeElement;
    if (!this.result || (active.matches("input[type=text]") && active !== this.field)) return;
    if (TOUCH.matches && active === this.field) active.blur();  // and the keyboard on the screen
    if (this.result.getBoundingClientRect().bottom > innerHeight) {
      this.status.scrollIntoView({ block: "start" });
    }
  }
}
