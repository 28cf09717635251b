// Asks the server: its REST interface, and what belongs to this page.

export class ServerError extends Error {}

async function ask(path, options) {
  let response, text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server does not answer. Is it running?");
  }
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = { error: text || response.statusText };
    if (response.ok) throw new ServerError("The server's answer cannot be read.");
  }
  if (response.ok) return answer;
  // Below the first line a model says where in its graph it happened.
  const reason = String(answer.error || "no reason given").split("\n")[0];
  throw new ServerError(`The server refuses (${response.status}): ${reason}`);
}

// What models.json and search answer; they lie beside this page.
export function get(path, signal) {
  return ask(path, { signal });
}

export function post(path, body, signal) {
  return ask(path, { method: "POST", body, signal });
}

// The outputs of a signature for one row: an object of name to value.
export async function predict(model, signature, inputs, signal) {
  const columns = Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [name, [value]]),
  );
  const body = JSON.stringify({ signature_name: signature, inputs: columns });
  const path = `../v1/models/${encodeURIComponent(model)}:predict`;
  const { outputs } = await post(path, body, signal);
  return Object.fromEntries(Object.entries(outputs).map(([name, rows]) => [name, rows[0]]));
}
