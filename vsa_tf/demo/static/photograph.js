// A file of the user's to what the models take: a JPEG, no larger than they can use.

const MAX_SIDE = 1024;
const MAX_BYTES = 2 * 1024 * 1024;
const QUALITY = 0.92;

export class PhotographError extends Error {}

// Returns `{ name, blob, url, width, height, base64, note }`. A small JPEG is sent as it is; whatever
// else the browser can show is drawn anew, which leaves out what a camera writes beside pictures.
export async function readPhotograph(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new PhotographError(`${file.name} is no image that this browser can read.`);
  }
  try {
    const { width, height } = bitmap;
    const isKept = file.type === "image/jpeg" && file.size <= MAX_BYTES
      && Math.max(width, height) <= MAX_SIDE;
    const blob = isKept ? file : await drawn(bitmap);
    return {
      name: file.name, blob, url: URL.createObjectURL(blob), width, height,
      base64: await toBase64(blob),
      note: Math.max(width, height) > MAX_SIDE
        ? `${width} × ${height} pixels, sent with ${MAX_SIDE} on its longer side`
        : `${width} × ${height} pixels`,
    };
  } finally {
    bitmap.close();
  }
}

async function drawn(bitmap) {
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";  // below what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  if (!blob) throw new PhotographError("The photograph is too large for this browser.");
  return blob;
}

function toBase64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new PhotographError("The file cannot be read."));
    reader.readAsDataURL(blob);
  });
}
