// Owns reading and writing plain HTTP. Must not know OpenID.

export function answer(response, status, body) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.statusCode = status;
  response.setHeader('content-type', typeof body === 'string' ? 'text/html; charset=utf-8' : 'application/json');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

export async function read(request, most = 1 << 20) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > most) throw new Error('too much');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

export async function readForm(request) {
  return new URLSearchParams(await read(request));
}

export function page(title, body) {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>`;
}
