// Hands a file to the visitor that was made on the server, without it ever lying there. Runs once when its gr.HTML is
// made. props.value is {filename, mime, text}; a filename that ends with .png asks for the picture of an SVG.

async function download({ filename, mime, text }) {
  const blob = filename.endsWith(".png") ? await drawn(text) : new Blob([text], { type: `${mime};charset=utf-8` });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// At twice its size, so that it is sharp in print.
async function drawn(svg) {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * picture.naturalWidth;
  canvas.height = 2 * picture.naturalHeight;
  const paper = canvas.getContext("2d");
  paper.fillStyle = "white";
  paper.fillRect(0, 0, canvas.width, canvas.height);
  paper.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

watch("value", () => props.value?.text && download(props.value));
