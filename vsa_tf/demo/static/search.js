// Photographs of the index that answer a text.

import { isWholeFrame, makeBox } from "./box.js";
import { make } from "./make.js";
import { get } from "./server.js";

export async function search(tool, colors, signal) {
  const { results } = await get(`search?query=${encodeURIComponent(tool.text)}`, signal);
  tool.result.append(...results.map((result) => makeCard(result, colors[0])));
  return results.length
    ? `${results.length} ${results.length === 1 ? "photograph" : "photographs"}, the best first.`
    : "The index holds no photograph.";
}

function makeCard({ number, name, score, box }, color) {
  const figure = make("figure"), frame = make("div", "frame"), image = make("img");
  image.loading = "lazy";
  image.alt = name;
  image.addEventListener("error", () => {
    frame.replaceChildren(make("p", "note", "The photograph can no longer be read."));
  });
  image.src = `thumbnails/${number}.jpg`;
  frame.append(image);
  if (box && !isWholeFrame(box)) frame.append(makeBox(box, color));
  const caption = make("figcaption"), note = `score ${score.toFixed(2)}`;
  caption.append(make("span", "name", name), " ", make("span", "note", note));
  figure.append(frame, caption);
  const item = make("li");
  item.append(figure);
  return item;
}
