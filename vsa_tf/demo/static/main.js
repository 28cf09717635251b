// Brings the sections of the page to life, as far as the server has models for them.

import * as answers from "./answers.js";
import { PhotographError, readPhotograph } from "./photograph.js";
import { Picture } from "./picture.js";
import { search } from "./search.js";
import { get } from "./server.js";
import { Tool } from "./tool.js";

const SIGNATURES = ["caption", "align", "localize"];
const section = (id) => document.getElementById(id);

function explained({ models, num_photographs: count }) {
  if (!models.length) return "No model here answers to caption, align, localize or embed_sentence.";
  const names = models.map(({ name, version }) => `${name} (version ${version})`).join(", ");
  const index = count === null ? "" : ` The index holds ${count} photographs.`;
  return `Served here: ${names}.${index}`;
}

function setUp(served) {
  const { models, colors } = served;
  const picture = new Picture(section("picture"));
  const tools = {};
  const like = section("like");
  const comparesPhotographs = served.num_photographs !== null
    && models.some(({ signatures }) => signatures.includes("embed_image"));
  let photograph = null;

  function answer(signature) {
    return (tool, signal) => {
      if (!photograph) throw new PhotographError("Choose a photograph first.");
      const align = tools.align.section.hidden ? null : (text) => {
        tools.align.field.value = text;
        tools.align.section.scrollIntoView({ block: "nearest" });
        tools.align.start();
      };
      return answers[signature](tool, { photograph, picture, colors, align }, signal);
    };
  }

  for (const signature of SIGNATURES) {
    tools[signature] = new Tool(section(signature), answer(signature));
    tools[signature].offer(models.filter(({ signatures }) => signatures.includes(signature)));
  }
  const shown = SIGNATURES.filter((signature) => !tools[signature].section.hidden);
  const chooser = new Tool(section("photograph"), async (tool, signal, file) => {
    const read = await readPhotograph(file);
    if (signal.aborted) return "";
    if (photograph) URL.revokeObjectURL(photograph.url);
    photograph = read;
    for (const signature of shown) tools[signature].clear();
    picture.showPhotograph(photograph);
    like.hidden = !comparesPhotographs;
    if (shown.includes("caption")) tools.caption.start();
    return `${file.name} is here.`;
  });
  chooser.section.hidden = shown.length === 0 && !comparesPhotographs;
  takeFiles(chooser);

  const searcher = new Tool(section("search"), (tool, signal, by) => search(tool, colors, signal, by));
  searcher.section.hidden = served.num_photographs === null;
  like.addEventListener("click", () => searcher.start(photograph));
}

function takeFiles(chooser) {
  const input = section("file"), drop = document.querySelector(".drop");
  // So that the same file can be chosen again, once it has changed.
  input.addEventListener("click", () => { input.value = ""; });
  input.addEventListener("change", () => {
    if (input.files.length) chooser.start(input.files[0]);
  });
  const holdsFiles = (event) => event.dataTransfer.types.includes("Files");
  // Anywhere: a file that misses the frame would make the browser leave the page.
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;  // where its name is shown
    chooser.start(input.files[0]);
  });
}

const models = section("models");
try {
  const served = await get("models.json");
  models.textContent = explained(served);
  setUp(served);
} catch (error) {
  models.textContent = error.message;
  models.classList.add("error");
}
