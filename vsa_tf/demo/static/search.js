// Photographs of the index that answer a text, or are like a photograph.

import { unknownNote } from "./answers.js";
import { isWholeFrame, makeBox } from "./box.js";
import { make } from "./make.js";
import { get, post } from "./server.js";

// `photograph`, where it is given, is searched by, in the place of the words.
export async function search(tool, colors, signal, photograph) {
  const found = photograph ? await post("search", photograph.blob, signal)
    : await get(`search?query=${encodeURIComponent(tool.text)}`, signal);
  const { results } = found;
  tool.result.append(...results.map((result) => makeCard(result, colors[0])));
  return results.length
    ? `${results.length} ${results.length === 1 ? "photograph" : "photographs"}, the best first.`
      + (photograph ? ` They are like ${photograph.name}.` : "")
      + unknownNote(found.unknown_words, found.means_nothing)
    : "The index holds no photograph.";
}

function makeCard({ number, path, score, box }, color) {
  const figure = make("figure"), frame = make("a", "frame"), image = make("img");
  frame.href = `photographs/${number}.jpg`;
  frame.target = "_blank";
  frame.rel = "noopener";
  image.loading = "lazy";
  image.alt = path;
  image.addEventListener("error", () => {
    frame.removeAttribute("href");
    frame.replaceChildren(make("p", "note", "The photograph can no longer be read."));
  });
  image.src = `thumbnails/${number}.jpg`;
  frame.append(image);
  if (box && !isWholeFrame(box)) frame.append(makeBox(box, color));
  const caption = make("figcaption"), note = `score ${score.toFixed(2)}`;
  caption.append(make("span", "name", path), " ", make("span", "note", note));
  figure.append(frame, caption);
  const item = make("li");
  item.append(figure);
  return item;
}
