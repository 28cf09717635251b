// What each signature answers, as elements.

import { isWholeFrame } from "./box.js";
import { make } from "./make.js";
import { Parts } from "./parts.js";
import { predict } from "./server.js";

const NUM_PLACES = 3;
// What is drawn on the photograph tells the answers apart: R1, R2; 1, 2; A, B.
const REGIONS = { title: "captions of regions", label: (index) => `R${index + 1}` };
const SNIPPETS = { title: "the aligned sentence", label: (index) => String(index + 1) };
const PLACES = { title: "the phrase", label: (index) => String.fromCharCode(65 + index) };

function list(elements) {
  const result = make("ol", "list");
  for (const element of elements) {
    const item = make("li");
    item.append(element);
    result.append(item);
  }
  return result;
}

// What to say of words that the model does not know. Servers of older models do not tell.
export function unknownNote(words, meansNothing) {
  const unknown = [...new Set((words || []).filter(Boolean))].join(", ");
  if (meansNothing) {
    return ` The model knows no word of this text: the answer means nothing.`;
  }
  return unknown ? ` The model does not know: ${unknown}.` : "";
}

function noteOf(answer) {
  return unknownNote(answer.unknown_words, answer.num_known_words === 0);
}

// Each takes the tool, `{ photograph, picture, colors, align }` and a signal, shows the answer in
// the tool and returns a line that says what there is to see.

export async function caption(tool, { photograph, picture, colors, align }, signal) {
  const image = { image_bytes: { b64: photograph.base64 } };
  const answer = await predict(tool.model, "caption", image, signal);
  if (answer.boxes) {  // a captioner of regions
    const count = answer.num_regions;
    const regions = answer.captions.slice(0, count).map((captions, index) => ({
      text: captions[0], box: answer.boxes[index], score: answer.log_prob[index][0],
    }));
    tool.parts = new Parts(regions, REGIONS, colors, picture);
    tool.result.append(list(tool.parts.elements));
    return `${count} regions, each with its caption.`;
  }
  const captions = answer.captions.map((text, index) => {
    const line = make("div", "caption");
    const words = make("span", "", text || "(no words)");
    words.dir = "auto";
    const note = `log probability ${answer.log_prob[index].toFixed(2)}`;
    line.append(words, " ", make("span", "note", note));
    if (align && text) {
      const button = make("button", "quiet", "Align");
      button.type = "button";
      button.setAttribute("aria-label", `Align: ${text}`);
      button.addEventListener("click", () => align(text));
      line.append(" ", button);
    }
    return line;
  });
  tool.result.append(list(captions));
  const noun = captions.length === 1 ? "caption" : "captions";
  return `${captions.length} ${noun}, the likeliest first.`;
}

export async function align(tool, { photograph, picture, colors }, signal) {
  const inputs = { image_bytes: { b64: photograph.base64 }, sentences: tool.text };
  const answer = await predict(tool.model, "align", inputs, signal);
  const snippets = answer.snippets.slice(0, answer.num_snippets).map((text, index) => ({
    text, box: answer.snippet_boxes[index], score: answer.snippet_scores[index],
  }));
  tool.parts = new Parts(snippets, SNIPPETS, colors, picture);
  const sentence = make("p", "sentence");
  for (const element of tool.parts.elements) sentence.append(element, " ");
  tool.result.append(sentence);
  const grey = tool.parts.elements.some((element) => element.classList.contains("plain"));
  return `Score ${answer.score.toFixed(2)}.`
    + (grey ? " Grey words go with the whole photograph." : "") + noteOf(answer);
}

export async function localize(tool, { photograph, picture, colors }, signal) {
  const inputs = { image_bytes: { b64: photograph.base64 }, phrases: tool.text };
  const answer = await predict(tool.model, "localize", inputs, signal);
  const phrase = tool.text;
  const places = answer.boxes.slice(0, Math.min(answer.num_boxes, NUM_PLACES));
  const found = places.map((box, index) => ({
    text: isWholeFrame(box) ? "the whole photograph" : phrase, box, score: answer.scores[index],
  }));
  tool.parts = new Parts(found, PLACES, colors, picture, 0);
  const { elements } = tool.parts;
  elements.forEach((element, index) => {
    element.append(" ", make("span", "note", `score ${answer.scores[index].toFixed(2)}`));
  });
  tool.result.append(list(elements));
  if (isWholeFrame(places[0])) return "The best answer is the whole photograph." + noteOf(answer);
  return `The best of ${answer.num_boxes} boxes is brought out.` + noteOf(answer);
}
