// Elements. Text is only ever set as text: captions and names may hold HTML.

export function make(name, classes = "", text = "") {
  const element = document.createElement(name);
  if (classes) element.className = classes;
  if (text) element.textContent = text;
  return element;
}
